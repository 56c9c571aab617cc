# shellcheck shell=bash
# cases <<'EOP': a perl program that calls tests/tools/strict_http.pm. The lines "0 NAME" and "1 NAME" that it
# prints are assertions of the test; its last line, "done N", says that it came to its end.
cases() {
	local rc text end=1
	while read -r rc text; do
		if [ "$rc" = "done" ]; then end=0; else _result "$rc" "$text"; fi
	done < <(perl -I"$TESTDIR/tools" - "$@")
	_result $end "the cases came to their end"
}
