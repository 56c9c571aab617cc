# bash completion for lbctl and loadbalancer; make install puts it where bash-completion looks.

_lbctl_servers() {
	"${COMP_WORDS[0]}" --interval 0ms show servers 2>/dev/null | sed -n 's/^\([^ ]\{1,\}\)  .*/\1/p'
}

_lbctl_instances() {
	local f
	for f in /dev/shm/loadbalancer.*; do
		[ -e "$f" ] && echo "${f##*.}"
	done
}

_lbctl() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} command='' i
	local commands='show top watch metrics drain maint ready weight check reload upgrade config log stop'
	local options='--instance --json --interval --count --sort --wait --timeout --socket --help --version'

	COMPREPLY=()
	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		--instance | -i | --interval | --count | -n | --sort | --timeout | --socket) ((i++)) ;;
		-*) ;;
		*) command=${COMP_WORDS[i]}; break ;;
		esac
	done
	case $prev in
	--instance | -i) mapfile -t COMPREPLY < <(compgen -W "$(_lbctl_instances)" -- "$cur"); return ;;
	--sort) mapfile -t COMPREPLY < <(compgen -W 'configured name state rate inflight errors p99' -- "$cur"); return ;;
	--socket) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
	--interval | --timeout | --count | -n) return ;;
	esac
	if [[ $cur == -* ]]; then
		mapfile -t COMPREPLY < <(compgen -W "$options" -- "$cur")
		return
	fi
	case $command in
	'') mapfile -t COMPREPLY < <(compgen -W "$commands" -- "$cur") ;;
	show) mapfile -t COMPREPLY < <(compgen -W "servers pools listeners workers errors $(_lbctl_servers)" -- "$cur") ;;
	drain | maint | ready | weight | check) mapfile -t COMPREPLY < <(compgen -W "$(_lbctl_servers)" -- "$cur") ;;
	log)
		if [ "$prev" = level ]; then
			mapfile -t COMPREPLY < <(compgen -W 'error warn info debug default' -- "$cur")
		else
			mapfile -t COMPREPLY < <(compgen -W level -- "$cur")
		fi
		;;
	stop) mapfile -t COMPREPLY < <(compgen -W now -- "$cur") ;;
	esac
}
complete -F _lbctl lbctl

_loadbalancer() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}

	COMPREPLY=()
	case $prev in
	-c | -p) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
	-m) mapfile -t COMPREPLY < <(compgen -W 'http tcp' -- "$cur"); return ;;
	-N | -R) return ;;
	esac
	[[ $cur == -* ]] && mapfile -t COMPREPLY < <(compgen -W '-c -p -t -T -D -v -V -h -N -R -m' -- "$cur")
}
complete -F _loadbalancer loadbalancer
