#!/bin/bash
# Completion in bash and zsh: commands, words, and the names of what runs.
TEST_LIMIT=60
. "${0%/*}/lib.sh"
LBCTL=$(realpath "${LBCTL:-build/default/lbctl}")
INIT=$TESTDIR/../init

start_backend B1
new_port PORT
start_conf <<E2
workers 1
pool app {
	check none
	server app1 127.0.0.1:$B1
	server app2 127.0.0.1:$B1
}
pool shop {
	check none
	server s:1 127.0.0.1:$B1
}
listen web {
	bind 127.0.0.1:$PORT
	to app
}
E2

complete_lbctl() {	# WORD...: what the last one may become
	bash -c '. "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _lbctl; echo "${COMPREPLY[*]}"' - "$INIT/completion.bash" "$LBCTL" "$@"
}
is "$(complete_lbctl w)" "watch why weight" "bash: commands"
is "$(complete_lbctl show e)" "errors events" "what to show"
is "$(complete_lbctl -i "$LB_PID" drain a)" "app/app1 app/app2" "servers that run"
is "$(complete_lbctl --instance "$LB_PID" drain app/app1 app/)" "app/app1 app/app2" "more of them"
is "$(complete_lbctl -i "$LB_PID" why s)" "shop shop/s:1" "pools"
is "$(complete_lbctl -i "$LB_PID" show errors app)" "app app/app1 app/app2" "of errors"
is "$(complete_lbctl -i "$LB_PID" show conns wait on w)" "web" "listeners"
is "$(complete_lbctl -i "$LB_PID" show conns wa)" "wait" "states"
is "$(complete_lbctl show conns --sort b)" "bytes" "orders of connections"
is "$(complete_lbctl top --sort r)" "rate" "orders of top"
like "$(complete_lbctl -i "${LB_PID:0:2}")" "$LB_PID" "instances"
like "$(complete_lbctl -)" '--instance --json' "options"
is "$(bash -c '. "$1"; complete -p lbctl' - "$INIT/completion.bash")" 'complete -F _lbctl lbctl' "it is bound to lbctl"
# Each command and each option that --help knows is completed, and none besides.
known=$("$LBCTL" -h | sed -n 's/^  \([a-z][a-z]*\) .*/\1/p' | sort -u | paste -sd ' ')
is "$(complete_lbctl '' | tr ' ' '\n' | sort -u | paste -sd ' ')" "$known" "all commands, no other"
is "$(complete_lbctl -- | tr ' ' '\n' | sort -u | paste -sd ' ')" "$("$LBCTL" -h | grep -o -- '--[a-z][a-z]*' | sort -u | paste -sd ' ')" "all options, no other"

if command -v zsh >/dev/null; then
	# The shell's own machinery is replaced by what prints.
	zcomplete() {	# COMMAND WORD...: of a line whose last word is empty
		zsh -f -c 'lbctl() { command '"$LBCTL"' "$@" }
			_arguments() { state=argument; line=($W); opt_args[-i]='"$LB_PID"' }
			_describe() { print -l -- ${(P)2} } ; _values() { print -l -- ${@[3,-1]} } ; _message() { : } ; _files() { : }
			W=("$@"); words=("$@" ""); CURRENT=$#words; . '"$INIT"'/_lbctl' zsh "$@" | tr -d "\\\\" | paste -sd " "
	}
	is "$(zcomplete drain)" "app/app1 app/app2 shop/s:1" "zsh: servers that run"
	like "$(zcomplete show)" '^servers pools listeners workers errors events conns app/app1' "what to show"
	is "$(zcomplete show errors)" "app shop app/app1 app/app2 shop/s:1" "pools and servers"
	is "$(zcomplete show conns on)" web "listeners"
	like "$(zcomplete show conns)" 'busy idle .* app shop app/app1' "what chooses connections"
	is "$(sed -n "/commands=(/,/)/s/.*'\([a-z]*\):.*/\1/p" "$INIT/_lbctl" | sort -u | paste -sd ' ')" "$known" "all commands, no other"
else
	skip "no zsh"
fi
finish
