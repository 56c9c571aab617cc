# shellcheck shell=bash
# results: reads the lines "0 NAME" and "1 NAME" of a program of cases, which become assertions; the last line, "done N",
# says that it came to its end. cases <<'EOP': runs a perl program that calls tests/tools/strict_http.pm.
results() {
	local rc text end=1
	while read -r rc text; do
		if [ "$rc" = "done" ]; then end=0; else _result "$rc" "$text"; fi
	done
	_result $end "the cases came to their end"
}
cases() { results < <(perl -I"$TESTDIR/tools" -); }
