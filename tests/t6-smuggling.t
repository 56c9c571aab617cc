#!/bin/bash
# Cases of public request-smuggling research, by the names that they got there. Each is either refused, with the
# status that is given, the connection closed and nothing forwarded; or exactly the requests that it holds reach the
# server. And whatever came, the next request, on the same connection and on another, gets its own answer:
# tests/tools/strict_http.pm looks for that behind every case.
. "${0%/*}/lib.sh"
. "$TESTDIR/tools/strict_http.sh"

new_port SERVER
new_port PORT
start_conf <<EOC
workers 1
pool app {
    check none
    retries 0
    server s1 127.0.0.1:$SERVER
}
listen web {
    bind 127.0.0.1:$PORT
    to app
}
EOC
one_worker() { WORKER=$(workers) && [ "$(count_workers)" = 1 ]; }
wait_for 5 one_worker
export SERVER PORT WORKER

cases <<'EOP'
use strict;
use warnings;
use strict_http;

strict_http::start($ENV{SERVER}, $ENV{PORT});
my $section;
sub section { $section = shift }
sub shown { my $t = shift; $t =~ s/\r\n/ | /g; $t =~ s/([^ -~])/sprintf '\\x%02x', ord $1/ge; return length $t > 70 ? substr($t, 0, 67) . '...' : $t }
my $H = "Host: x\r\n";
my $P = "POST /attack HTTP/1.1\r\n$H";
my $SMUGGLED = "GET /smuggled HTTP/1.1\r\n$H\r\n";
my $T = "Transfer-Encoding: chunked\r\n";
# Refused: nothing of it, nor of what stands behind it, is forwarded.
sub refused {
	my ($name, $bytes, $status, %more) = @_;
	strict_http::check("$section: $name", req => $bytes . $SMUGGLED, status => $status // 400, n => 0, hides => qr/smuggled/, %more);
}
# Refused when its head may have gone on already: then the server must not get a whole request, and its connection is not used again.
sub cut_off {
	my ($name, $bytes) = @_;
	strict_http::check("$section: $name", req => $bytes . $SMUGGLED, status => 400, n => qr/0|1/, hides => qr/smuggled/, fresh => 1);
}
sub allowed { my ($name, %what) = @_; strict_http::check("$section: $name", %what) }
sub ok200 { my ($body, @f) = @_; return join('', map { "$_\r\n" } 'HTTP/1.1 200 OK', @f, 'Content-Length: ' . length $body) . "\r\n$body" }

section 'CL.TE';
refused 'the classic', "${P}Content-Length: 6\r\n$T\r\n0\r\n\r\nG";
refused 'a whole request behind the last chunk', "${P}Content-Length: " . (5 + length $SMUGGLED) . "\r\n$T\r\n0\r\n\r\n";
refused 'length 0', "${P}Content-Length: 0\r\n$T\r\n1\r\nx\r\n0\r\n\r\n";
refused 'on GET', "GET / HTTP/1.1\r\n${H}Content-Length: 4\r\n$T\r\n0\r\n\r\n";
refused 'kept by 1.0', "POST / HTTP/1.0\r\n${H}Connection: keep-alive\r\nContent-Length: 5\r\n$T\r\n0\r\n\r\n";
refused 'the length hidden behind Connection', "${P}Connection: Content-Length\r\nContent-Length: 5\r\n$T\r\n0\r\n\r\n";
refused 'the coding hidden behind Connection', "${P}Connection: Transfer-Encoding\r\nContent-Length: 5\r\n$T\r\n0\r\n\r\n";

section 'TE.CL';
refused 'the classic', "${P}$T" . "Content-Length: 4\r\n\r\n5c\r\nGPOST / HTTP/1.1\r\n\r\n";
refused 'invalid length beside the coding', "${P}$T" . "Content-Length: x\r\n\r\n0\r\n\r\n";
refused 'empty length beside the coding', "${P}$T" . "Content-Length:\r\n\r\n0\r\n\r\n";

section 'TE.TE';
for ("Transfer-Encoding: xchunked", "Transfer-Encoding: chunkedx", "Transfer-Encoding: chunk", "Transfer-Encoding: x", "Transfer-Encoding: cow\r\nTransfer-Encoding: chunked",
    "Transfer-Encoding: chunked\r\nTransfer-encoding: x", "Transfer-Encoding: chunked\r\nTransfer-encoding: identity", "Transfer-Encoding: identity, chunked", "Transfer-Encoding: chunked, identity",
    "Transfer-Encoding: ,chunked", "Transfer-Encoding: chunked,", "Transfer-Encoding: chunked,,", "Transfer-Encoding: chunked;q=1", "Transfer-Encoding: 'chunked'", "Transfer-Encoding: chunked\r\n , x",
    "Transfer-Encoding: ch\x96nked", "Transfer-Encoding: \xa0chunked", "Transfer-Encoding: chunked\xa0", "Transfer-Encoding: \x0cchunked", "Transfer-Encoding: chunked\x0b", "Transfer-Encoding: chunked\x00",
    "Transfer-Encoding\x00: chunked", "Transfer-Encoding\t: chunked", "Transfer-Encoding\x0b: chunked", "Transfer-Encoding\xa0: chunked", "Transfer-Encoding\r\n : chunked", "Transfer-Encoding\n: chunked",
    " Transfer-Encoding: chunked", "\tTransfer-Encoding: chunked", "X: x\nTransfer-Encoding: chunked", "X: x\rTransfer-Encoding: chunked", "X: x\r\r\nTransfer-Encoding: chunked", "X: x\n\rTransfer-Encoding: chunked",
    "Transfer-Encoding:\x01chunked", "Transfer-Encoding: chunked\r", "Transfer-Encoding", "Transfer-Encoding chunked", "\"Transfer-Encoding\": chunked", "Transfer-Encoding;: chunked", ":Transfer-Encoding: chunked",
    "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", "Transfer-Encoding: gzip", "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked", "Transfer-Encoding: deflate, chunked", "Transfer-Encoding: chunked chunked") {
	refused shown($_), "$P$_\r\n\r\n0\r\n\r\n", qr/400|501/;
	refused 'with a length: ' . shown($_), "${P}Content-Length: 5\r\n$_\r\n\r\n0\r\n\r\n", qr/400|501/;
}
for ("Transfer-Encoding:chunked", "Transfer-Encoding:\tchunked\t", "tRANSFER-eNCODING: cHUNKED", "TRANSFER-ENCODING:   chunked  ") {
	allowed 'what is one coding goes on as one: ' . shown($_), req => "$P$_\r\n\r\n1\r\nx\r\n0\r\n\r\n", sent => 'x', sees => qr/^Transfer-Encoding: chunked\r/;
}
allowed 'a field of another name is no framing: ' . shown($_), req => "$P$_\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", sent => "0\r\n\r\n"
    for "Transfer_Encoding: chunked", "X-Transfer-Encoding: chunked", "Content-Encoding: chunked", "TE: chunked", "Transfer.Encoding: chunked", "Transfer-Encodin: chunked", "Transfer-Encoding2: chunked";
refused 'in HTTP/1.0', "POST / HTTP/1.0\r\n$H$T\r\n0\r\n\r\n";
refused 'in HTTP/1.0 that is kept', "POST / HTTP/1.0\r\n${H}Connection: keep-alive\r\n$T\r\n0\r\n\r\n";

section 'CL.CL';
for ("Content-Length: 5\r\nContent-Length: 0", "Content-Length: 0\r\nContent-length: 5", "Content-Length: 5, 0", "Content-Length: 0,5", "Content-Length: 5 5", "Content-Length: 5;0", "Content-Length: 5\r\n 0",
    "Content-Length: 1_0", "Content-Length: 1e1", "Content-Length: 0o5", "Content-Length: 5.", "Content-Length: \"5\"", "Content-Length: \x0c5", "Content-Length: 5\x00", "Content-Length: 5\x0b", "Content-Length: \xd9\xa5",
    "Content-Length: -0", "Content-Length: +0", "Content-Length: ,5", "Content-Length: 5,", "Content-Length\x00: 5", "Content-Length : 5", "Content-Length\t: 5", " Content-Length: 5", "X: y\n Content-Length: 5",
    "Content-Length: 18446744073709551621", "Content-Length: 340282366920938463463374607431768211461", "Content-Length: 9223372036854775808", "Content-Length", "Content-Length: \r\n5") {
	refused shown($_), "$P$_\r\n\r\n", qr/400|413/;
}
allowed 'a field of another name is no framing: ' . shown($_), req => "$P$_\r\n\r\n$SMUGGLED", status => [200, 200], n => 2, methods => ['POST', 'GET'], body => "GET /smuggled\n"
    for "Content_Length: 40", "X-Content-Length: 40", "Content.Length: 40";

section '0.CL and CL.0: early answers';
my $inner = "GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n";
my $cl = 'Content-Length: ' . length($inner) . "\r\n";
allowed 'the body is data, whatever it looks like', req => "$P$cl\r\n$inner", sent => $inner;
allowed 'on GET', req => "GET / HTTP/1.1\r\n$H$cl\r\n$inner", sent => $inner;
allowed 'on HEAD', req => "HEAD / HTTP/1.1\r\n$H$cl\r\n$inner", sent => $inner;
allowed 'in one chunk', req => sprintf("$P$T\r\n%x\r\n%s\r\n0\r\n\r\n", length $inner, $inner), sent => $inner;
allowed 'an answer before the body, which comes then', req => ["$P$cl\r\n", qr/\r\n\r\nearly/, $inner], ans => { bytes => ok200('early'), early => 1 },
    closed => 1, n => 1, body => 'early', fresh => 1, reset_ok => 1;
allowed 'an answer before the body, which comes in part', req => ["$P" . "Content-Length: 500\r\n\r\n", qr/\r\n\r\nearly/, $inner], ans => { bytes => ok200('early'), early => 1 },
    closed => 1, n => 1, body => 'early', fresh => 1, reset_ok => 1;
allowed 'an answer before a chunked body', req => ["$P$T\r\n", qr/\r\n\r\nearly/, "0\r\n\r\n$inner"], ans => { bytes => ok200('early'), early => 1 },
    closed => 1, n => 1, body => 'early', fresh => 1, reset_ok => 1;
allowed 'an answer before the body, and the server closes', req => ["$P$cl\r\n", qr/\r\n\r\nearly/, $inner], ans => { bytes => ok200('early', 'Connection: close'), early => 1, end => 'close' },
    closed => 1, n => 1, body => 'early', reset_ok => 1;
allowed 'a chunked answer before the body', req => ["$P$cl\r\n", qr/0\r\n\r\n/, $inner], ans => { bytes => "HTTP/1.1 200 OK\r\n$T\r\n5\r\nearly\r\n0\r\n\r\n", early => 1 },
    closed => 1, n => 1, body => 'early', fresh => 1, reset_ok => 1;
allowed 'an error before the body', req => ["$P$cl\r\n", qr/\r\n\r\nno/, $inner], ans => { bytes => "HTTP/1.1 404 No\r\nContent-Length: 2\r\n\r\nno", early => 1 },
    status => 404, closed => 1, n => 1, fresh => 1, reset_ok => 1;
refused 'the length in a folded line', "GET / HTTP/1.1\r\n${H}X: y\r\n Content-Length: 7\r\n\r\n";
refused 'the length in a first folded line', "GET / HTTP/1.1\r\n Content-Length: 7\r\n$H\r\n";
refused 'a blank behind the name', "GET / HTTP/1.1\r\n${H}Content-Length : 7\r\n\r\n";
refused 'a line end between name and value', "GET / HTTP/1.1\r\n${H}Content-Length:\n 7\r\n\r\n";

section 'Expect';
my $E = "Expect: 100-continue\r\n";
for ("Expect: y 100-continue", "Expect: 100-continue, 100-continue", "Expect: 100-continue\r\nExpect: 100-continue", "Expect: 100-continue;x", "Expect: \"100-continue\"", "Expect: 100", "Expect:", "Expect: 100-continue,", "Expect: x\r\nExpect: 100-continue") {
	refused shown($_), "$P$_\r\nContent-Length: 5\r\n\r\nabcde", 417;
}
refused shown($_), "$P$_\r\nContent-Length: 5\r\n\r\nabcde" for "Expect:\n 100-continue", "Expect : 100-continue", "Expect: 100-continue\x00", " Expect: 100-continue", "Expect: 100-\r\n continue";
allowed 'the body behind 100 looks like a request', req => ["$P$E$cl\r\n", qr/100 Continue\r\n\r\n/, $inner], ans => { interim => "HTTP/1.1 100 Continue\r\n\r\n", bytes => ok200('ok') }, sent => $inner, n => 1;
allowed 'a final answer instead of 100; then the body comes all the same', req => ["$P$E$cl\r\n", qr/\r\n\r\nno/, $inner], ans => { bytes => "HTTP/1.1 404 No\r\nContent-Length: 2\r\n\r\nno", early => 1 },
    status => 404, closed => 1, n => 1, fresh => 1, reset_ok => 1;
allowed 'a final answer instead of 100; then a request comes', req => ["$P$E$cl\r\n", qr/\r\n\r\nok/, $SMUGGLED], ans => { bytes => ok200('ok'), early => 1 }, closed => 1, n => 1, fresh => 1, reset_ok => 1;
allowed 'on GET without a body: the next request is one', req => "GET /a HTTP/1.1\r\n$H$E\r\nGET /b HTTP/1.1\r\n$H\r\n", status => [200, 200], n => 2, body => "GET /b\n", hides => qr/^Expect/;
allowed 'with length 0', req => "POST /a HTTP/1.1\r\n$H${E}Content-Length: 0\r\n\r\nGET /b HTTP/1.1\r\n$H\r\n", status => [200, 200], n => 2, methods => ['POST', 'GET'], body => "GET /b\n", hides => qr/^Expect/;
allowed 'on HEAD', req => ["HEAD /a HTTP/1.1\r\n$H$E$cl\r\n", qr/100 Continue\r\n\r\n/, $inner], ans => { interim => "HTTP/1.1 100 Continue\r\n\r\n", bytes => "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n" }, n => 1, sent => $inner;
allowed '100 twice', req => ["$P$E$cl\r\n", qr/100 Continue\r\n\r\n/, $inner], ans => { interim => "HTTP/1.1 100 Continue\r\n\r\n" x 2, bytes => ok200('ok') }, n => 1, sent => $inner, body => 'ok';
allowed '100 behind the answer', req => "GET / HTTP/1.1\r\n$H\r\n", ans => ok200('ok') . "HTTP/1.1 100 Continue\r\n\r\n", fresh => 1, body => 'ok', lacks => qr/100 Continue/;
allowed 'in HTTP/1.0', req => "POST / HTTP/1.0\r\n$H$E$cl\r\n$inner", sent => $inner, n => 1, closed => 1, hides => qr/^Expect/;

section 'chunks';
my $C = "$P$T\r\n";
cut_off shown($_), "$C$_" for
    "1;\nx\r\n0\r\n\r\n", "1;a\nx\r\n0\r\n\r\n", "1;a=b\nx\r\n0\r\n\r\n", "1;a=\"b\nc\"\r\nx\r\n0\r\n\r\n", "1;a=\"b\r\nc\"\r\nx\r\n0\r\n\r\n", "1;a=\"\r\nx\r\n0\r\n\r\n", "1;a\rx\r\n0\r\n\r\n", "1\r\r\nx\r\n0\r\n\r\n",
    "1\rx\r\n0\r\n\r\n", "1\n\rx\r\n0\r\n\r\n", "1\r\nxXX0\r\n\r\n", "1\r\nx\rX0\r\n\r\n", "1\r\nx\n\n0\r\n\r\n", "1\r\nx0\r\n\r\n", "2\r\nx\r\n0\r\n\r\n", "1\r\nxx\r\n0\r\n\r\n", "0\r\n$SMUGGLED", "0\n\n", "0\r\n\n", "0\r\n\rX", "0\n\r\n", "0;\n\r\n",
    "0_1\r\nx\r\n0\r\n\r\n", "+1\r\nx\r\n0\r\n\r\n", "-1\r\nx\r\n", "0x1\r\nx\r\n0\r\n\r\n", "\t1\r\nx\r\n0\r\n\r\n", "1\t\r\nx\r\n0\r\n\r\n", "1\x00\r\nx\r\n0\r\n\r\n", "1 a\r\nx\r\n0\r\n\r\n", "1,\r\nx\r\n0\r\n\r\n", "1.\r\nx\r\n0\r\n\r\n", "g\r\n", "\r\n0\r\n\r\n",
    "10000000000000001\r\nx\r\n0\r\n\r\n", "fffffffffffffffff\r\nx\r\n", "8000000000000001\r\nx\r\n", "1;\x7f\r\nx\r\n0\r\n\r\n", "1;a=b\x00\r\nx\r\n0\r\n\r\n", "1 ;\r\nx\r\n", "1;=b\r\nx\r\n",
    "0\r\nX\r\n\r\n", "0\r\nX : y\r\n\r\n", "0\r\n X: y\r\n\r\n", "0\r\nX: y\n\r\n", "0\r\nX: y\r\n z\r\n\r\n", "0\r\n: y\r\n\r\n", "0\r\nX: \x00\r\n\r\n", "0\r\nX: y\rz\r\n\r\n", "0\r\n\x0b\r\n\r\n";
cut_off 'extensions without an end', $C . "1;" . 'a' x 2000 . "\r\nx\r\n0\r\n\r\n";
cut_off 'mostly extensions', $C . ("1;" . 'a' x 900 . "\r\nx\r\n") x 40 . "0\r\n\r\n";
cut_off 'trailers without an end', $C . "0\r\n" . "X: " . 'y' x 20000 . "\r\n\r\n";
allowed 'a last chunk with many zeros', req => "${C}1\r\nx\r\n0000\r\n\r\n", sent => 'x';
allowed 'extensions are gone: ' . shown($_), req => "${C}1$_\r\nx\r\n0\r\n\r\n", sent => 'x' for ';a', ';a=b', ' ; a = "b;\\"c"', ';a="0\\\\"', ';0=0;GET=1';
allowed 'trailers are gone: ' . shown($_), req => "${C}1\r\nx\r\n0\r\n$_\r\n\r\n", sent => 'x', hides => qr/smug|evil/ for 'Content-Length: 40', 'Transfer-Encoding: smug', 'Host: evil', 'X: evil', 'Connection: evil';
allowed 'a chunk that holds chunks', req => "${C}5\r\n0\r\n\r\n\r\n0\r\n\r\n", sent => "0\r\n\r\n";
allowed 'what follows the last chunk is a request', req => "${C}0\r\n\r\nGET /b HTTP/1.1\r\n$H\r\n", status => [200, 200], n => 2, methods => ['POST', 'GET'], body => "GET /b\n";

section 'bare LF, bare CR, blanks';
refused shown($_), $_ for "GET / HTTP/1.1\nHost: x\n\n", "GET / HTTP/1.1\r\nHost: x\n\r\n", "GET / HTTP/1.1\nHost: x\r\n\r\n", "GET / HTTP/1.1\r\nHost: x\r\n\n", "GET / HTTP/1.1\rHost: x\r\r", "GET / HTTP/1.1\r\nHost: x\r\n\rX", "GET / HTTP/1.1\r\nHost: x\r\n \r\n",
    "GET / HTTP/1.1\r\nHost: x\r\n\t\r\n\r\n", "GET / HTTP/1.1\r\n\r\n", "\n\nGET / HTTP/1.1\r\nHost: x\r\n\r\n", "\rGET / HTTP/1.1\r\nHost: x\r\n\r\n", "\0GET / HTTP/1.1\r\nHost: x\r\n\r\n", "GET /\r\nHost: x\r\n\r\n",
    "GET / HTTP/1.1 x\r\nHost: x\r\n\r\n", "GET / HTTP/1.1\r\nHost: x\r\nX: y\x0b\r\n\r\n", "GET /\nHTTP/1.1\r\nHost: x\r\n\r\n", "GET / HTTP/1.1\r\nHost: x\r\nX: a\r\n\r\n\r" =~ s/\r\n\r\n\r/\r\r\n\r\n/r, "GET /\x85 HTTP/1.1\r\nHost: x\r\n\r\n";
refused 'request splitting: ' . shown($_), "GET /$_ HTTP/1.1\r\nHost: x\r\n\r\n" for "a\rb", "a\x0bb", "a\x00b", "a HTTP/1.1\rX: b", "\xc4\x8d\xc4\x8a";
refused 'two heads in a line end', "GET / HTTP/1.1\r\nHost: x\r\nX: a\r\n\rGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n";
allowed 'what is encoded stays so', req => "GET /%0d%0aX:%20y%00%0a HTTP/1.1\r\n$H\r\n", sees => qr{^GET /%0d%0aX:%20y%00%0a HTTP/1\.1\r};

section 'names of fields';
refused shown($_), "GET / HTTP/1.1\r\n$H$_\r\n\r\n" for "Host: y", "host:x", "Host : y", "X\x00Y: z", "X Y: z", "X\x0bY: z", "X\xc0Y: z", "X/Y: z", "X[Y: z", "X\"Y: z", "X,Y: z", "X;Y: z", "X=Y: z", "X\@Y: z", "X{Y: z", "X\\Y: z", "X<Y: z", "X?Y: z";
refused 'Host hidden: ' . shown($_), "GET / HTTP/1.1\r\n$_\r\n\r\n" for "Host\t: x", " Host: x", "Host\x00: x", "H\x00ost: x", "Host\r\n: x", "Hosts: x", "Host", "X: y\r\n Host: x", "Host: x\x00y", "Host: x, y\x01", "Host: x\tHost: y";
refused 'two hosts in an absolute target: ' . shown($_), "GET $_ HTTP/1.1\r\n$H\r\n" for 'http://a@b/', 'http://a:80@b/', 'http://a\\b/', 'http://a b/', "http://a\tb/", 'http://[a]/', 'http://', 'http:/a', 'http:a', 'http://a:80:80/', 'http://a%/', 'http://a%00/' =~ s/00/0/r, 'http://a:b@c/', 'http://a\@b/', 'http://[::1/';

section 'pipelining';
allowed 'behind a refused request nothing is read', req => "GET /a HTTP/1.1\r\n$H\r\nG\@T / HTTP/1.1\r\n\r\n$SMUGGLED", status => [200, 400], n => 1, closed => 1, hides => qr/smuggled/;
allowed 'behind a refused body', req => "GET /a HTTP/1.1\r\n$H\r\n${P}Content-Length: 5\r\n$T\r\n0\r\n\r\n$SMUGGLED", status => [200, 400], n => 1, closed => 1, hides => qr/smuggled/, methods => ['GET', 'POST'];
allowed 'behind Connection: close', req => "GET /a HTTP/1.1\r\n${H}Connection: close\r\n\r\n$SMUGGLED", n => 1, closed => 1, hides => qr/smuggled/;
allowed 'behind HTTP/1.0', req => "GET /a HTTP/1.0\r\n\r\n$SMUGGLED", n => 1, closed => 1, hides => qr/smuggled/;
allowed 'behind HTTP/1.0 with a length', req => "POST /a HTTP/1.0\r\nContent-Length: 3\r\n\r\nabc$SMUGGLED", n => 1, closed => 1, hides => qr/smuggled/, sent => 'abc';
allowed 'answers go to their own requests', req => join('', map { "GET /$_ HTTP/1.1\r\n$H\r\n" } 1 .. 50), status => [(200) x 50], n => 50, methods => [('GET') x 50], body => "GET /50\n";
allowed 'HEAD between GETs', req => "GET /a HTTP/1.1\r\n$H\r\nHEAD /b HTTP/1.1\r\n$H\r\nGET /c HTTP/1.1\r\n$H\r\n", status => [(200) x 3], methods => [qw(GET HEAD GET)], body => "GET /c\n";
allowed 'a server that closes in between', req => "GET /a HTTP/1.1\r\n$H\r\nGET /b HTTP/1.1\r\n$H\r\n", ans => { bytes => ok200('ok', 'Connection: close'), end => 'close' }, status => [200, 200], n => 2, body => "GET /b\n";
allowed 'an answer without framing ends it all', req => "GET /a HTTP/1.1\r\n$H\r\n$SMUGGLED", ans => { bytes => "HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno", end => 'close' }, closed => 1, n => 1, hides => qr/smuggled/;

section 'bytes behind an answer';
my $poison = ok200('poison');
my $get = "GET / HTTP/1.1\r\n$H\r\n";
allowed 'at once', req => $get, ans => ok200('ok') . $poison, body => 'ok', lacks => qr/poison/, fresh => 1;
allowed 'a moment later, on a connection that is kept', req => $get, body => "GET /\n", after => $poison, fresh => 1;
allowed 'one byte of them', req => $get, after => 'H', fresh => 1;
allowed 'an empty line', req => $get, ans => ok200('ok') . "\r\n", fresh => 1;
allowed 'an empty line a moment later', req => $get, after => "\r\n", fresh => 1;
allowed 'an interim answer a moment later', req => $get, after => "HTTP/1.1 103 Early Hints\r\nX: poison\r\n\r\n", fresh => 1;
allowed 'a 408 on a connection that is kept', req => $get, after => "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", fresh => 1;
allowed 'behind the last chunk', req => $get, ans => "HTTP/1.1 200 OK\r\n$T\r\n2\r\nok\r\n0\r\n\r\n$poison", body => 'ok', lacks => qr/poison/, fresh => 1;
allowed 'the body of an answer to HEAD', req => "HEAD / HTTP/1.1\r\n$H\r\n", ans => $poison, lacks => qr/poison/, fresh => 1;
allowed 'an answer in the body of an answer to HEAD', req => "HEAD / HTTP/1.1\r\n$H\r\n", ans => ok200($poison), lacks => qr/poison/, fresh => 1;
allowed 'a chunked body of an answer to HEAD', req => "HEAD / HTTP/1.1\r\n$H\r\n", ans => "HTTP/1.1 200 OK\r\n$T\r\n6\r\npoison\r\n0\r\n\r\n", lacks => qr/poison/, fresh => 1;
allowed 'behind 204', req => $get, ans => "HTTP/1.1 204 No Content\r\n\r\n$poison", status => 204, lacks => qr/poison/, fresh => 1;
allowed 'a body of 204', req => $get, ans => "HTTP/1.1 204 No Content\r\nContent-Length: 6\r\n\r\npoison", status => 204, lacks => qr/poison|Content-Length/, fresh => 1;
allowed 'a body of 304', req => $get, ans => "HTTP/1.1 304 Not Modified\r\nContent-Length: 6\r\n\r\npoison", status => 304, n => 1, closed => 0, lacks => qr/poison/, fresh => 1;
allowed 'a chunked body of 304', req => $get, ans => "HTTP/1.1 304 Not Modified\r\n$T\r\n6\r\npoison\r\n0\r\n\r\n", status => 304, n => 1, closed => 0, lacks => qr/poison/, fresh => 1;
for my $size (1000, 8000, 12000, 16384, 32768, 65536, 200000, 1000000, 5000000) {
	# With all sizes of head, so that the end falls on the ends of buffers too.
	for my $pad ($size > 200000 ? 0 : (0, 1, 2)) {
		my $head = "HTTP/1.1 200 OK\r\nContent-Length: $size\r\nX: ";
		my $fill = 'y' x (500 + $pad - length($head) - 4);
		allowed "behind $size bytes and " . (500 + $pad), req => $get, ans => "$head$fill\r\n\r\n" . '=' x $size . $poison, body => '=' x $size, fresh => 1;
		my $n = $size - 500 - $pad;
		my $short = "HTTP/1.1 200 OK\r\nContent-Length: $n\r\nX: ";
		allowed "behind $size bytes with the head, $pad", req => $get, ans => $short . 'y' x (500 - 4 - length $short) . "\r\n\r\n" . '=' x $n . $poison, body => '=' x $n, fresh => 1;
	}
}
allowed 'behind a large chunk', req => $get, ans => "HTTP/1.1 200 OK\r\n$T\r\n30d40\r\n" . '=' x 200000 . "\r\n0\r\n\r\n$poison", body => '=' x 200000, fresh => 1;
allowed 'a longer body than promised, pipelined', req => $get . "GET /b HTTP/1.1\r\n$H\r\n", ans => ok200('ok') . $poison, status => [200, 200], n => 2, body => "GET /b\n", lacks => qr/poison/;

# The server speaks out of turn, then a request comes, and the worker gets to know of both in one moment.
{
	my $poisoned = 0;
	for my $i (1 .. 100) {
		my $c = strict_http::dial($ENV{PORT});
		strict_http::probe($c);
		my $other = $i % 2 ? $c : strict_http::dial($ENV{PORT});
		kill STOP => $ENV{WORKER};
		strict_http::speak($poison);
		syswrite $other->{fh}, "GET /after/$i HTTP/1.1\r\nHost: x\r\n\r\n";
		kill CONT => $ENV{WORKER};
		$poisoned++ if strict_http::next_answer($other) ne "GET /after/$i\n";
		close $_->{fh} for $c, $other == $c ? () : $other;
	}
	strict_http::say($poisoned == 0, "$section: in the same moment as the next request, 100 times" . ($poisoned ? ", $poisoned poisoned" : ''));
}

section 'response splitting, answers that lie';
for ("Content-Length: 2\r\nContent-Length: 40", "Content-Length: 2, 40", "Content-Length: 2\r\n$T" =~ s/\r\n$//r, "Content-Length: 0x2", "Content-Length: +2", "Content-Length: -1", "Transfer-Encoding: xchunked", "Transfer-Encoding: chunked, chunked",
    "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity", "Transfer-Encoding: chunked;x", "Transfer-Encoding : chunked", "Content-Length : 2", "Content-Length\x00: 2", "X: a\rContent-Length: 2", "X: a\nContent-Length: 2", "X: a\r\n Content-Length: 2", "X\x00: a", "X y: a",
    "Content-Length: 2\r\n 40", " Content-Length: 2", "Content-Length: 99999999999999999999", "Content-Length: 2\x00", "\x00", "X: \x00", "X: a\r\r\nContent-Length: 2") {
	strict_http::check("$section: " . shown($_), req => $get, ans => { bytes => "HTTP/1.1 200 OK\r\n$_\r\n\r\nok$poison", end => 'close' }, status => 502, n => 1, closed => 0, lacks => qr/poison/, fresh => 1);
}
strict_http::check("$section: bad chunks in an answer: " . shown($_), req => $get, ans => { bytes => "HTTP/1.1 200 OK\r\n$T\r\n$_$poison", end => 'close' }, cut => 1, closed => 1, n => 1, fresh => 1)
    for "2\nok\r\n0\r\n\r\n", "2\r\nok\n0\r\n\r\n", "2\r\nokXX0\r\n\r\n", "2;\nok\r\n0\r\n\r\n", "-1\r\n", "2\r\nok\r\n0\r\nX y: z\r\n\r\n", "2\r\nok\r\n0\r\nX\r\n\r\n", "2\r\nok\r\n0\r\n\n", "10000000000000002\r\nok\r\n0\r\n\r\n", "02 \r\nok\r\n0\r\n\r\n";
strict_http::check("$section: an answer in two versions", req => $get, ans => { bytes => "HTTP/1.0 200 OK\r\n$T" . "Content-Length: 5\r\n\r\n0\r\n\r\n$poison", end => 'close' }, status => 502, n => 1, closed => 0, lacks => qr/poison/, fresh => 1);
allowed 'an interim answer that holds a body', req => $get, ans => { bytes => "HTTP/1.1 103 Early Hints\r\nContent-Length: " . length($poison) . "\r\n\r\n" . ok200('ok') }, body => 'ok';
strict_http::check("$section: 101 to who asked for nothing", req => $get . $SMUGGLED, ans => { bytes => "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n$poison", end => 'close' }, status => [502, 200], n => 2, closed => 0, lacks => qr/poison/, methods => ['GET', 'GET']);

section 'upgrades';
my $U = "GET /ws HTTP/1.1\r\n${H}Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 777\r\n\r\n";
allowed 'declined with 426: what follows is a request like others', req => $U . "GET /b HTTP/1.1\r\n$H\r\n", ans => "HTTP/1.1 426 Upgrade Required\r\nContent-Length: 0\r\nSec-WebSocket-Version: 13\r\n\r\n", status => [426, 200], n => 2, closed => 0, methods => ['GET', 'GET'], body => "GET /b\n";
allowed 'declined with 200: what follows must be a request', req => $U . "\x81\x05hello\r\n\r\n", ans => ok200('ok'), status => [200, 400], n => 1, closed => 1, methods => ['GET', 'GET'];
allowed 'what comes before 101 is not sent to a server that may decline', req => $U . $SMUGGLED, ans => ok200('ok'), status => [200, 200], n => 2, closed => 0, methods => ['GET', 'GET'], body => "GET /smuggled\n";
allowed 'to h2c: left out: ' . shown($_), req => "GET / HTTP/1.1\r\n$H$_\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n", hides => [qr/h2c/i, qr/HTTP2-Settings/i, qr/^Connection/] for "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c", "Connection: upgrade\r\nUpgrade: H2C", "Connection: Upgrade\r\nUpgrade: websocket, h2c", "Connection: Upgrade\r\nUpgrade: websocket\r\nUpgrade: h2c", "Connection: HTTP2-Settings\r\nUpgrade: h2c";
allowed 'with a body: left out', req => "POST / HTTP/1.1\r\n${H}Connection: Upgrade\r\nUpgrade: websocket\r\n$cl\r\n$inner", hides => qr/^Upgrade/, sent => $inner;
refused 'CONNECT', "CONNECT x:80 HTTP/1.1\r\nHost: x:80\r\n\r\n", qr/400|405|501/;
refused 'the preface of HTTP/2', "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", qr/400|505/;
strict_http::finish();
EOP
finish
