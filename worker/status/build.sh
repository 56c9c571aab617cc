#!/bin/sh
# Puts the status page together: build.sh OUTDIR writes OUTDIR/page.html, with its style and script inside, and
# OUTDIR/policy, the Content-Security-Policy that lets a browser use these two and nothing else.
set -e
here=${0%/*}
out=$1
mkdir -p "$out"

# The base64 of a SHA-256, which is how a policy names an inline script.
hash() {
	hex=$(sha256sum "$1") hex=${hex%% *}
	octal=$(echo "$hex" | awk '{ for (i = 1; i < 64; i += 2) printf "\\%03o", 16 * (index("0123456789abcdef", substr($0, i, 1)) - 1) + index("0123456789abcdef", substr($0, i + 1, 1)) - 1 }')
	# shellcheck disable=SC2059  # it is a format
	printf "$octal" | base64
}

# What stands between the tags, the newlines at both ends included, is what is hashed.
{ echo; cat "$here/page.css"; } >"$out/style"
{ echo; cat "$here/page.js"; } >"$out/script"
awk -v style="$out/style" -v script="$out/script" '
	function put(file, line) { while ((getline line <file) > 0) print line }
	/^<style>/ { printf "<style>"; put(style); print "</style>"; next }
	/^<script>/ { printf "<script>"; put(script); print "</script>"; next }
	{ print }' "$here/page.html" >"$out/page.html.new"
printf "default-src 'none'; style-src 'sha256-%s'; script-src 'sha256-%s'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'" \
    "$(hash "$out/style")" "$(hash "$out/script")" >"$out/policy"
mv "$out/page.html.new" "$out/page.html"
