#!/bin/sh
# What machines can see in the sources; `make lint` calls it. Ends non-zero at the first kind that complains.
cd "${0%/*}/../.." || exit 1
status=0
step() { echo "lint: $1"; shift; "$@" || { status=1; echo "lint: failed"; }; }

sources=$(git ls-files -co --exclude-standard '*.c')
shells=$(git ls-files -co --exclude-standard '*.sh' '*.t' .ci/run init/loadbalancer.init init/debian/postinst init/debian/prerm init/debian/postrm)
pages=$(git ls-files -co --exclude-standard 'man/*')

# shellcheck disable=SC2086
tidy() {
	echo $sources | xargs -n 4 -P "$(nproc)" sh -c 'exec clang-tidy --quiet "$@" -- -std=c11 -D_GNU_SOURCE -I. \
	    -DVERSION=\"0\" -Wall -Wextra 2>/dev/null' sh
}
# shellcheck disable=SC2086
cpp() {
	cppcheck --quiet --std=c11 --inline-suppr --error-exitcode=1 --enable=warning,performance,portability \
	    --suppress=missingIncludeSystem --suppress=normalCheckLevelMaxBranches -D_GNU_SOURCE -D__linux__ -I. \
	    -j "$(nproc)" $sources
}
# shellcheck disable=SC2086
shell() {
	shellcheck -x -S warning -e SC1091,SC2034,SC2046,SC2086,SC2120,SC2154 $shells &&
	    shellcheck -s sh -S warning -e SC2034,SC2154 init/loadbalancer.openrc
}
# shellcheck disable=SC2086
man_pages() { [ -z "$pages" ] || mandoc -Tlint -W warning $pages; }

step clang-tidy tidy
step cppcheck cpp
step shellcheck shell
step mandoc man_pages
exit $status
