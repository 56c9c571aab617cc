#!/bin/bash
# The rules of the house that a machine can check: see DESIGN and STYLE.
TEST_LIMIT=60
. "${0%/*}/lib.sh"
cd "${0%/*}/.." || exit 2

files() { git ls-files -co --exclude-standard "$@" 2>/dev/null | while read -r f; do [ -e "$f" ] && echo "$f"; done; }
[ -n "$(files '*.c')" ] || skip_all "not a git checkout"
product() { files '*.[ch]' | grep -v ^tests/; }
none() { [ -z "$1" ] || { complain "$1"; return 1; }; }	# LINES

# Rooms by height; a file may include what stands lower, its own room, and nothing else.
height() {
	case $1 in
	shm_stats.h) echo 0 ;;
	http/* | os/*) echo 1 ;;
	conf/*) echo 2 ;;
	balance/* | ipc/*) echo 3 ;;
	supervisor/* | worker/* | health/* | ctl/*) echo 4 ;;
	*) echo 5 ;;	# the process files, and their headers
	esac
}
upward() {
	local file target from to
	product | xargs grep -Ho '^#include "[^"]*"' | while IFS=: read -r file target; do
		target=${target#*\"} target=${target%\"}
		[ -e "$target" ] || { echo "$file: $target: not a path from the root"; continue; }
		from=$(height "$file") to=$(height "$target")
		if [ "$from" = 5 ]; then	# process files: their own room, never another's; never each other
			case "$file:$target" in
			supervisor.c:worker.h | supervisor.c:health.h) ;;	# what crosses the fork
			"${file%.*}".*:"${file%.*}".h | "${file%.*}".*:"${file%.*}"/*) ;;
			*) [ "$to" -lt 4 ] || echo "$file includes $target" ;;
			esac
		elif [ "$from" = "$to" ]; then
			case $file:$target in
			supervisor/*:worker.h | supervisor/*:health.h) ;;
			*) [ "${file%%/*}" = "${target%%/*}" ] || [ "$from" -lt 4 ] || echo "$file includes $target" ;;
			esac
		elif [ "$to" -gt "$from" ]; then
			case $file:$target in
			supervisor/*:worker.h | supervisor/*:health.h) ;;
			*) echo "$file includes $target" ;;
			esac
		fi
	done
}
ok "includes go downward" none "$(upward)"
# Two rooms of one height do not know each other, but for what DESIGN draws side by side.
ok "http does no I/O and allocates nothing" none "$(files 'http/*.[ch]' | xargs grep -nE '#include ("os/|<(sys/epoll|unistd|fcntl)\.h>)|^[^*]*[^a-z_.>](read|write|recv|send|recvmsg|sendmsg|socket|connect|open|close|malloc|calloc|realloc|free|strdup)\(')"
ok "balance asks nobody: no clock, no system call" none "$(files 'balance/*.[ch]' | xargs grep -nE '#include <(time|unistd|sys/.*)\.h>')"

ok "every .c has its .h, or stands in the header of its room" none "$(product | grep '\.c$' | while read -r f; do
	case $f in supervisor.c | ctl/lbctl.c) continue ;; esac	# main() is what they offer
	room=${f%%/*}
	[ -e "${f%.c}.h" ] || [ -e "$room/$room.h" ] || echo "$f"
done)"
ok "every header stands by itself" none "$(product | grep '\.h$' |
	xargs -I{} sh -c "echo '#include \"{}\"' | ${CC:-cc} -std=c11 -D_GNU_SOURCE -I. -Wall -Wextra -fsyntax-only -xc - 2>&1")"
ok "headers are guarded by their name" none "$(product | grep '\.h$' | while read -r f; do
	guard=$(echo "$f" | tr 'a-z/.-' 'A-Z___')
	grep -q "^#ifndef $guard\$" "$f" || echo "$f: no #ifndef $guard"
done)"
ok "no typedef for structs, unions, enums" none "$(files '*.[ch]' | xargs grep -nE '^[[:space:]]*typedef[[:space:]]+(struct|union|enum)')"
ok "_GNU_SOURCE is defined in the Makefile alone" none "$(files '*.[ch]' | xargs grep -n '#define[[:space:]]*_GNU_SOURCE')"
ok "no file has two jobs: 800 lines at most" none "$(files '*.[ch]' '*.sh' '*.t' | xargs wc -l | awk '$1 > 800 && $2 != "total"')"
ok "indented with tabs, no blanks at the ends of lines" none "$({ files "*.[ch]" "*.sh" "*.t" Makefile | xargs grep -nE "[ 	]+\$"; files "*.[ch]" | xargs grep -nE "^ {8}"; } | head)"
ok "only scripts are executable" none "$(git ls-files -s | awk '$1 == 100755 { print $4 }' | while read -r f; do
	[ -e "$f" ] || continue
	head -c2 "$f" | grep -q '^#!' || echo "$f"
done)"
ok "scripts that are called are executable" none "$(files '*.sh' .ci/run | while read -r f; do
	head -c2 "$f" | grep -q '^#!' || continue
	[ -x "$f" ] || echo "$f"
done)"
ok "nothing that could write past its end" none "$(product | xargs grep -nE '\b(gets|sprintf|strcat|vsprintf|alloca)\(')"
ok "descriptors are close-on-exec from birth" none "$(product | grep '\.c$' | xargs grep -nE '\b(accept|dup|pipe|epoll_create|inotify_init)\(' | grep -v 'CLOEXEC' | grep -vE ':[[:space:]]*(/?\*|//)')"
ok "tests do not sleep for readiness" none "$(files 'tests/*.t' | xargs grep -nE '^[[:space:]]*sleep ' | grep -v '# time itself is tested')"
ok "test files are named by family" none "$(files 'tests/*.t' | grep -vE '^tests/t[0-9]-[a-z0-9-]+\.t$')"

ok "links of the documents lead somewhere" none "$(files '*.md' | xargs grep -o '](\([^)h#][^)]*\))' | tr -d '()]' | while IFS=: read -r f to; do
	[ -e "$(dirname "$f")/${to%%#*}" ] || echo "$f: $to"
done)"

if command -v mandoc >/dev/null && [ -n "$(files 'man/*')" ]; then
	ok "man pages are clean" none "$(files 'man/*' | xargs mandoc -Tlint -W warning)"
else
	skip "no mandoc, or no page"
fi
finish
