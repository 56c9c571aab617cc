# bash completion for lbctl and loadbalancer; make install puts it where bash-completion looks.

# Names are asked of the instance that the line names.
_lbctl_with=()

_lbctl_servers() {
	"${COMP_WORDS[0]}" "${_lbctl_with[@]}" --interval 0ms show servers 2>/dev/null | sed -n 's/^\([^ ]\{1,\}\)  .*/\1/p'
}

_lbctl_pools() {
	"${COMP_WORDS[0]}" "${_lbctl_with[@]}" --interval 0ms show pools 2>/dev/null | sed '1d; s/ .*//'
}

_lbctl_listeners() {
	"${COMP_WORDS[0]}" "${_lbctl_with[@]}" --interval 0ms show listeners 2>/dev/null | sed '1d; s/ .*//'
}

_lbctl_instances() {
	local f
	for f in /dev/shm/loadbalancer.*; do
		[ -e "$f" ] && echo "${f##*.}"
	done
}

_lbctl() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} command='' i
	local commands='show top watch why metrics drain maint ready weight check reload upgrade config log stop'
	local options='--instance --json --interval --count --sort --wait --timeout --socket --help --version'

	COMPREPLY=()
	_lbctl_with=()
	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		--instance | -i) _lbctl_with=(-i "${COMP_WORDS[++i]}") ;;
		--interval | --count | -n | --sort | --timeout | --socket) ((i++)) ;;
		-*) ;;
		*) command=${COMP_WORDS[i]}; break ;;
		esac
	done
	case $prev in
	--instance | -i) mapfile -t COMPREPLY < <(compgen -W "$(_lbctl_instances)" -- "$cur"); return ;;
	--sort)
		local keys='configured name state rate inflight errors p99'
		[ "$command" = show ] && keys='time age bytes requests client'
		mapfile -t COMPREPLY < <(compgen -W "$keys" -- "$cur")
		return
		;;
	--socket) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
	--interval | --timeout | --count | -n) return ;;
	esac
	if [[ $cur == -* ]]; then
		mapfile -t COMPREPLY < <(compgen -W "$options" -- "$cur")
		return
	fi
	case $command in
	'') mapfile -t COMPREPLY < <(compgen -W "$commands" -- "$cur") ;;
	show)
		local what=${COMP_WORDS[i + 1]} words
		case $((COMP_CWORD - i)):$what in
		1:*) words="servers pools listeners workers errors events conns $(_lbctl_servers)" ;;
		*:servers) words=$(_lbctl_servers) ;;
		*:errors | *:events) words="$(_lbctl_pools) $(_lbctl_servers)" ;;
		*:conns)
			case $prev in
			on) words=$(_lbctl_listeners) ;;
			from | older | for) words= ;;
			*) words="busy idle preamble head queue connect request wait answer tunnel own linger from on older for \
			    $(_lbctl_pools) $(_lbctl_servers)" ;;
			esac
			;;
		*) words= ;;
		esac
		mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
		;;
	why) mapfile -t COMPREPLY < <(compgen -W "$(_lbctl_pools) $(_lbctl_servers)" -- "$cur") ;;
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
