#!/bin/bash
# What RFC 9110 and RFC 9112 demand of an intermediary, section by section, at both of its sides. Each case is a
# message through the real balancer; tests/tools/strict_http.pm is its client and its server, and says how to read them.
. "${0%/*}/lib.sh"
. "$TESTDIR/tools/strict_http.sh"

new_port SERVER
new_port PORT
new_port SMALL
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
listen small {
    bind 127.0.0.1:$SMALL
    to app
    max-head 2k
    max-request-line 500
    max-body 100
    trace on
    via edge
}
EOC
export SERVER PORT SMALL

cases <<'EOP'
use strict;
use warnings;
use strict_http;

strict_http::start($ENV{SERVER}, $ENV{PORT});
my $section;
sub section { $section = shift }
sub c { my $name = shift; strict_http::check("$section: $name", @_) }

# A request: start line, then fields; Host unless there is one. And an answer.
sub req {
	my ($line, @f) = @_;
	my $body = @f && $f[-1] =~ s/^\n// ? pop @f : '';
	$line .= ' HTTP/1.1' if $line !~ m{ HTTP/};
	unshift @f, 'Host: x' if $line =~ m{/1\.1$} && !grep { /^Host:/i } @f;
	return join('', map { "$_\r\n" } $line, grep { length } @f) . "\r\n$body";
}
sub ans {
	my ($status, @f) = @_;
	my $body = @f && $f[-1] =~ s/^\n// ? pop @f : '';
	return join('', map { "$_\r\n" } "HTTP/1.1 $status", @f) . "\r\n$body";
}
my $L2 = 'Content-Length: 2';

section '9110 2.5, 9112 2.3 version';
c 'what goes on is HTTP/1.1', req => req('GET / HTTP/1.0', 'Host: x'), closed => 1, sees => qr{^GET / HTTP/1\.1\r$};
c 'HTTP/1.0 that wants to be kept', req => req('GET / HTTP/1.0', 'Host: x', 'Connection: keep-alive'), gets => qr/^Connection: keep-alive\r$/i;
c 'HTTP/1.0 with Keep-Alive in other case', req => req('GET / HTTP/1.0', 'Host: x', 'connection: Keep-Alive'), gets => qr/^Connection: keep-alive\r$/i;
c 'a higher minor version is read as 1.1', req => req('GET / HTTP/1.9', 'Host: x'), sees => qr{^GET / HTTP/1\.1\r$}, gets => qr{^HTTP/1\.1 };
c 'version 2', req => req('GET / HTTP/2.0', 'Host: x'), status => qr/400|505/;
c 'version 0.9', req => "GET /\r\n", status => qr/400|505/;
c 'version 1', req => req('GET / HTTP/1', 'Host: x'), status => qr/400|505/;
c 'version 01.1', req => req('GET / HTTP/01.1', 'Host: x'), status => qr/400|505/;
c 'version 1.01', req => req('GET / HTTP/1.01', 'Host: x'), status => qr/400|505/;
c 'a name in small letters', req => req('GET / hTTP/1.1', 'Host: x'), status => qr/400|505/;
c 'an answer in 1.0 goes on as 1.1', req => req('GET /'), ans => "HTTP/1.0 200 OK\r\n$L2\r\n\r\nok", gets => qr{^HTTP/1\.1 200}, body => 'ok';
c 'an answer in 1.0 whose end is the end', req => req('GET /'), ans => { bytes => "HTTP/1.0 200 OK\r\n\r\nall", end => 'close' }, closed => 1, body => 'all';
c 'an answer in 1.7', req => req('GET /'), ans => "HTTP/1.7 200 OK\r\n$L2\r\n\r\nok", gets => qr{^HTTP/1\.1 200};
c 'an answer in 2.0', req => req('GET /'), ans => { bytes => "HTTP/2.0 200 OK\r\n$L2\r\n\r\nok", end => 'close' }, status => 502, n => 1, closed => 0;

section '9112 3 request line';
for ('G@T /', 'GET', ' GET /', 'GET  /', "GET\t/", 'GET / ', "GET /\x01", "GET /\x7f", "GET /\xe4", 'GET /a#b', 'GET x', 'GET *', 'GET /<>', 'GET /"', 'GET //[', 'GE:T /') {
	my $line = $_;
	next if $line eq 'GET //[';
	c "refused: " . ($line =~ s/([^ -~])/sprintf '\\x%02x', ord $1/ger), req => "$line HTTP/1.1\r\nHost: x\r\n\r\n", status => 400;
}
c 'methods are case-sensitive and may be anything', req => req('get /'), sees => qr{^get / HTTP/1\.1};
c 'an unknown method', req => req('M-SEARCH /x'), sees => qr{^M-SEARCH /x };
c 'one empty line before', req => "\r\n" . req('GET /'), sees => qr{\AGET / };
c 'whitespace before the first field', req => "GET / HTTP/1.1\r\n Host: x\r\n\r\n", status => 400;
c 'a long line', req => req('GET /' . 'a' x 600), port => $ENV{SMALL}, status => 414;
c 'a line of 8000 bytes is taken', req => req('GET /' . 'a' x 8000);
c 'the path goes on unchanged', req => req('GET /a/../%2e%2E//b;c=d?e=f&g=/?x'), sees => qr{^GET /a/\.\./%2e%2E//b;c=d\?e=f&g=/\?x HTTP};
c 'an empty query stays', req => req('GET /?'), sees => qr{^GET /\? HTTP};

section '9112 3.2 forms of the target';
c 'absolute form', req => req('GET http://other/a?b'), sees => [qr{^GET /a\?b HTTP/1\.1}, qr/^Host: other\r$/], hides => qr/^Host: x/;
c 'with a port', req => req('GET http://other:8080/a'), sees => qr/^Host: other:8080\r$/;
c 'without a path', req => req('GET http://other'), sees => [qr{^GET / HTTP/1\.1}, qr/^Host: other\r$/];
c 'without a path, with a query', req => req('GET http://other?a=b'), sees => qr{^GET /\?a=b HTTP/1\.1};
c 'OPTIONS without a path is for the whole server', req => req('OPTIONS http://other'), sees => [qr{^OPTIONS \* HTTP/1\.1}, qr/^Host: other\r$/];
c 'OPTIONS with a path', req => req('OPTIONS http://other/'), sees => qr{^OPTIONS / HTTP/1\.1};
c 'scheme in capitals', req => req('GET HTTP://other/'), sees => qr/^Host: other\r$/;
c 'https', req => req('GET https://other/a'), sees => qr{^GET /a HTTP/1\.1};
c 'in HTTP/1.0 without Host', req => req('GET http://other/a HTTP/1.0'), closed => 1, sees => qr/^Host: other\r$/;
c 'but 1.1 must have a Host', req => "GET http://other/a HTTP/1.1\r\n\r\n", status => 400;
c 'and only one', req => "GET http://other/a HTTP/1.1\r\nHost: other\r\nHost: other\r\n\r\n", status => 400;
c 'user information', req => req('GET http://u:p@other/'), status => 400;
c 'empty host', req => req('GET http:///a'), status => 400;
c 'another scheme', req => req('GET ftp://other/'), status => 400;
c 'a port that is none', req => req('GET http://other:x/'), status => 400;
c 'fragment', req => req('GET http://other/a#b'), status => 400;
c 'asterisk', req => req('OPTIONS *'), sees => qr{^OPTIONS \* HTTP/1\.1};
c 'authority form is for CONNECT', req => req('GET other:80'), status => 400;
c 'CONNECT is not known', req => "CONNECT other:80 HTTP/1.1\r\nHost: other:80\r\n\r\n", status => qr/400|405|501/;

section '9112 3.2, 9110 7.2 Host';
c 'it goes on as it came', req => req('GET /', 'Host: WWW.Example.ORG:8080'), sees => qr/^Host: WWW\.Example\.ORG:8080\r$/;
c 'an IPv6 address', req => req('GET /', 'Host: [2001:db8::1]:80'), sees => qr/^Host: \[2001:db8::1\]:80\r$/;
c 'empty port', req => req('GET /', 'Host: x:'), sees => qr/^Host: x:?\r$/;
c 'none in 1.1', req => "GET / HTTP/1.1\r\nA: b\r\n\r\n", status => 400;
c 'two', req => "GET / HTTP/1.1\r\nHost: x\r\nA: b\r\nhost: x\r\n\r\n", status => 400;
for ('x:y', 'x:99999', 'x:-1', 'x:80:80', 'x:+80', 'x: 80', 'x/', 'x?', 'x#', 'a b', 'u@x', '[::1', '::1', '[::g]', '[1.2.3.4]', 'x%', 'x%zz', 'x"', '<x>', "\xe4", ' ', 'x:0x50', 'x:80 ,y', 'a\\b', 'x:١') {
	c "no host: " . (s/([^ -~])/sprintf '\\x%02x', ord $1/ger), req => "GET / HTTP/1.1\r\nHost: $_\r\n\r\n", status => 400;
}
c '1.0 may have none: the next hop gets the address that was called', req => "GET / HTTP/1.0\r\n\r\n", closed => 1, sees => qr/^Host: 127\.0\.0\.1:$ENV{PORT}\r$/;
c 'two in 1.0', req => req('GET / HTTP/1.0', 'Host: x', 'Host: y'), status => 400;
c 'invalid in 1.0', req => req('GET / HTTP/1.0', 'Host: x:y'), status => 400;

section '9110 5, 9112 5 fields';
c 'unknown ones go on', req => req('GET /', 'X-Unknown: 1', 'x-lower: 2'), sees => [qr/^X-Unknown: 1\r$/, qr/^x-lower: 2\r$/];
c 'in their order', req => req('GET /', 'A: 1', 'B: x', 'A: 2', 'a: 3'), sees => qr/^A: 1\r\nB: x\r\nA: 2\r\na: 3\r$/;
c 'of answers too', req => req('GET /'), ans => ans('200 OK', 'A: 1', 'Set-Cookie: a', 'A: 2', 'Set-Cookie: b', $L2, "\nok"), gets => qr/^A: 1\r\nSet-Cookie: a\r\nA: 2\r\nSet-Cookie: b\r$/;
c 'blanks around a value are no part of it', req => req('GET /', "A: \t b c \t"), sees => qr/^A: b c\r$/;
c 'an empty value', req => req('GET /', 'A:'), sees => qr/^A: ?\r$/;
c 'bytes above 127', req => req('GET /', "A: \xc3\xa4"), sees => qr/^A: \xc3\xa4\r$/;
c 'every sign of a token', req => req('GET /', "a!#\$%&'*+-.^_`|~1: b"), sees => qr/^a!#\$%&'\*\+-\.\^_`\|~1: b\r$/;
c "refused: $_->[0]", req => "GET / HTTP/1.1\r\nHost: x\r\n$_->[1]\r\n\r\n", status => 400
    for ['blank before the colon', 'A : b'], ['tab before the colon', "A\t: b"], ['no colon', 'A'], ['no name', ': b'], ['brackets in a name', 'A(b): c'],
    ['blank in a name', 'A B: c'], ['folded', "A: b\r\n c"], ['folded with a tab', "A: b\r\n\tc"], ['NUL', "A: b\0c"], ['bare CR', "A: b\rc"],
    ['bare LF', "A: b\nB: c"], ['backspace', "A: b\x08"], ['escape', "A: \x1b"], ['DEL', "A: \x7f"], ['byte above 127 in a name', "\xe4: b"], ['CR before the end', "A: b\r"];
c 'too many', req => req('GET /', map { "A$_: b" } 1 .. 200), status => 431;
c 'too much', req => req('GET /', 'A: ' . 'b' x 3000), port => $ENV{SMALL}, status => 431;
c 'in an answer, a blank before the colon is taken out', req => req('GET /'), ans => ans('200 OK', 'A : b', $L2, "\nok"), gets => qr/^A: b\r$/;
c "answer refused: $_->[0]", req => req('GET /'), ans => { bytes => ans('200 OK', $_->[1], $L2, "\nok"), end => 'close' }, status => 502, n => 1, closed => 0
    for ['no colon', 'A'], ['name that is none', 'A(b): c'], ['folded', "A: b\r\n c"], ['NUL', "A: b\0c"], ['bare CR', "A: b\rc"], ['bare LF', "A: b\nB: c"], ['blank in a name', 'A b: c'];

section '9110 7.6.1 Connection';
c 'fields that it names go no further', req => req('GET /', 'Connection: A, b', 'A: 1', 'B: 2', 'C: 3'), hides => [qr/^A:/, qr/^B:/], sees => qr/^C: 3/;
c 'in any case and any order', req => req('GET /', 'X-ONE: 1', 'connection:x-one'), hides => qr/^X-ONE/i;
c 'in several fields', req => req('GET /', 'Connection: A', 'A: 1', 'Connection: B', 'B: 2'), hides => [qr/^A:/, qr/^B:/];
c 'with empty elements', req => req('GET /', 'Connection: , A,, ,B,', 'A: 1', 'B: 2'), hides => [qr/^A:/, qr/^B:/];
c 'repeated ones all go', req => req('GET /', 'Connection: A', 'A: 1', 'A: 2'), hides => qr/^A:/;
c 'ones that are known here go too', req => req('GET /', 'Connection: Cookie, User-Agent, X-Forwarded-For', 'Cookie: a', 'User-Agent: b', 'X-Forwarded-For: 1.2.3.4'), hides => [qr/^Cookie/, qr/^User-Agent/, qr/1\.2\.3\.4/];
c 'Connection itself stays here', req => req('GET /', 'Connection: A', 'A: 1'), hides => qr/^Connection/;
c "$_ stays here", req => req('GET /', "$_: a"), hides => qr/^$_:/ for 'Keep-Alive', 'Proxy-Connection', 'TE', 'Trailer', 'Upgrade', 'HTTP2-Settings', 'Proxy-Authorization';
c 'Host cannot be named', req => req('GET /', 'Connection: Host'), sees => qr/^Host: x\r/;
c 'nor can the framing', req => req('POST /', 'Connection: Content-Length', $L2, "\nab"), sent => 'ab';
c 'of answers too', req => req('GET /'), ans => ans('200 OK', 'Connection: A, B', 'A: 1', 'B: 2', 'C: 3', $L2, "\nok"), lacks => [qr/^A:/, qr/^B:/], gets => qr/^C: 3/;
c 'and Connection in several fields', req => req('GET /'), ans => ans('200 OK', 'A: 1', 'Connection: keep-alive', 'Connection: a', $L2, "\nok"), lacks => qr/^A:/;
c "of answers, $_ stays here", req => req('GET /'), ans => ans('200 OK', "$_: timeout=5", $L2, "\nok"), lacks => qr/^$_:/ for 'Keep-Alive', 'Proxy-Connection', 'Trailer', 'Upgrade';
c 'in an interim answer too', req => req('GET /'), ans => { interim => ans('103 Early Hints', 'Connection: A', 'A: 1', 'Link: x'), bytes => ans('200 OK', $L2, "\nok") }, lacks => qr/^A:/, gets => qr/^Link: x/;

section '9112 9 persistence';
c 'a connection is kept', req => req('GET /');
c 'Connection: close is answered with close', req => req('GET /', 'Connection: close'), closed => 1, gets => qr/^Connection: close\r$/i;
c 'in any case', req => req('GET /', 'Connection: CLOSE'), closed => 1, gets => qr/^Connection: close\r$/i;
c 'in a list', req => req('GET /', 'Connection: A, close'), closed => 1;
c 'close is stronger than keep-alive', req => req('GET /', 'Connection: keep-alive, close'), closed => 1;
c 'also in 1.0', req => req('GET / HTTP/1.0', 'Host: x', 'Connection: keep-alive, close'), closed => 1;
c '1.0 is closed', req => req('GET / HTTP/1.0', 'Host: x'), closed => 1;
c 'it says nothing of the other connection', req => req('GET /', 'Connection: close'), closed => 1, hides => qr/^Connection/;
c 'nothing behind a last request is served', req => req('GET /a', 'Connection: close') . req('GET /b'), closed => 1, body => "GET /a\n";
c 'a server that closes does not close the client', req => req('GET /'), ans => { bytes => ans('200 OK', 'Connection: close', $L2, "\nok"), end => 'close' }, lacks => qr/^Connection/;
c 'pipelined requests are answered in order', req => join('', map { req("GET /$_") } 1 .. 20), status => [(200) x 20], body => "GET /20\n", methods => [('GET') x 20];
c 'also behind bodies', req => req('POST /a', $L2, "\nab") . req('PUT /b', 'Transfer-Encoding: chunked', "\n1\r\nx\r\n0\r\n\r\n") . req('HEAD /c') . req('GET /d'), status => [(200) x 4], methods => [qw(POST PUT HEAD GET)], body => "GET /d\n";
c 'an answer that ends with its connection ends the client\'s', req => req('GET /'), ans => { bytes => ans('200 OK', "\nall"), end => 'close' }, closed => 1, body => 'all';
c 'an answer without an end to 1.0', req => req('GET / HTTP/1.0', 'Host: x', 'Connection: keep-alive'), ans => ans('200 OK', 'Transfer-Encoding: chunked', "\n3\r\nabc\r\n0\r\n\r\n"), closed => 1, body => 'abc', lacks => qr/^Transfer-Encoding/i;

section '9112 6, 9110 8.6 framing of requests';
c 'a body by length', req => req('POST /', 'Content-Length: 5', "\nhello"), sent => 'hello';
c 'leading zeros', req => req('POST /', 'Content-Length: 005', "\nhello"), sent => 'hello';
c 'length 0', req => req('POST /', 'Content-Length: 0'), sees => qr/^Content-Length: 0\r/, sent => '';
c 'of GET too', req => req('GET /', 'Content-Length: 5', "\nhello"), sent => 'hello';
c 'chunked', req => req('POST /', 'Transfer-Encoding: chunked', "\n5\r\nhello\r\n0\r\n\r\n"), sent => 'hello', hides => qr/^Content-Length/;
c 'CHUNKED', req => req('POST /', 'Transfer-Encoding: CHUNKED', "\n5\r\nhello\r\n0\r\n\r\n"), sent => 'hello';
c 'no body without either', req => req('POST /'), hides => qr/^(Content-Length: [1-9]|Transfer)/, sent => '';
c 'chunked, byte by byte', req => [req('POST /', 'Transfer-Encoding: chunked'), split(//, "5\r\nhello\r\n1;a=b\r\n!\r\n0\r\nX: y\r\n\r\n")], sent => 'hello!';
c 'large, as one chunk', req => req('POST /', 'Transfer-Encoding: chunked', "\n186a0\r\n" . 'x' x 100000 . "\r\n0\r\n\r\n"), sent => 'x' x 100000;
c 'many chunks', req => req('POST /', 'Transfer-Encoding: chunked', "\n" . "1\r\nx\r\n" x 5000 . "0\r\n\r\n"), sent => 'x' x 5000;
c 'sizes in both cases, with zeros', req => req('POST /', 'Transfer-Encoding: chunked', "\n000a\r\n0123456789\r\nA\r\n0123456789\r\n00\r\n\r\n"), sent => '01234567890123456789';
c 'extensions stay here', req => req('POST /', 'Transfer-Encoding: chunked', "\n5;a;b=c;d=\"e;f\"\r\nhello\r\n0;z\r\n\r\n"), sent => 'hello';
c 'trailers are no fields', req => req('POST /', 'Transfer-Encoding: chunked', "\n1\r\nx\r\n0\r\nHost: evil\r\nA: b\r\nContent-Length: 9\r\n\r\n"), sent => 'x', hides => [qr/evil/, qr/^A:/];
c "refused: $_->[0]", req => req('POST /', @{$_->[1]}, "\n0\r\n\r\n"), status => $_->[2] || 400 for
    ['both', ['Content-Length: 5', 'Transfer-Encoding: chunked']], ['both, the other way', ['Transfer-Encoding: chunked', 'Content-Length: 5']],
    ['two lengths', ['Content-Length: 5', 'Content-Length: 6']], ['a list', ['Content-Length: 5, 6']], ['sign', ['Content-Length: +5']],
    ['minus', ['Content-Length: -5']], ['hex', ['Content-Length: 0x5']], ['fraction', ['Content-Length: 5.0']], ['letters', ['Content-Length: five']],
    ['empty', ['Content-Length:']], ['too large', ['Content-Length: 18446744073709551616'], qr/400|413/], ['chunked is not last', ['Transfer-Encoding: chunked, gzip'], qr/400|501/],
    ['not chunked', ['Transfer-Encoding: gzip'], qr/400|501/], ['unknown coding', ['Transfer-Encoding: gzip, chunked'], qr/400|501/], ['identity', ['Transfer-Encoding: identity'], qr/400|501/],
    ['twice chunked', ['Transfer-Encoding: chunked, chunked']], ['twice chunked in two fields', ['Transfer-Encoding: chunked', 'Transfer-Encoding: chunked']],
    ['parameters', ['Transfer-Encoding: chunked;a=b'], qr/400|501/], ['nothing', ['Transfer-Encoding:'], qr/400|501/];
c 'refused: chunked in 1.0', req => req('POST / HTTP/1.0', 'Host: x', 'Transfer-Encoding: chunked', "\n0\r\n\r\n"), status => 400;
c 'the same length twice is one or refused', req => req('POST /', 'Content-Length: 2', 'Content-Length: 2', "\nab"), status => 400;
c 'a body beyond the limit', req => req('POST /', 'Content-Length: 101', "\n" . 'x' x 101), port => $ENV{SMALL}, status => 413;
c 'a body at the limit', req => req('POST /', 'Content-Length: 100', "\n" . 'x' x 100), port => $ENV{SMALL}, sent => 'x' x 100;
c 'chunks beyond the limit', req => req('POST /', 'Transfer-Encoding: chunked', "\n65\r\n" . 'x' x 101 . "\r\n"), port => $ENV{SMALL}, status => 413, n => qr/0|1/;
c 'bad chunks: never a whole request at the server', req => req('POST /', 'Transfer-Encoding: chunked', "\n$_"), status => 400, n => qr/0|1/, hides => qr/smuggled/
    for "x\r\n", "\r\n", "-1\r\n\r\n", "1\r\nab\r\n0\r\n\r\n", "1\nx\r\n0\r\n\r\n", "1\r\nx\n0\r\n\r\n", "fffffffffffffffff\r\n", " 1\r\nx\r\n", "1 \r\nx\r\n0\r\n\r\n", "0x1\r\nx\r\n", "1\r\nx\r\n0\r\n: a\r\n\r\n";

section '9112 6, 9110 8.6 framing of answers';
c 'by length', req => req('GET /'), ans => ans('200 OK', 'Content-Length: 5', "\nhello"), body => 'hello';
c 'chunked', req => req('GET /'), ans => ans('200 OK', 'Transfer-Encoding: chunked', "\n5;ext\r\nhello\r\n0\r\nA: b\r\n\r\n"), body => 'hello', lacks => qr/^A: b/;
c 'large', req => req('GET /'), ans => ans('200 OK', 'Content-Length: 200000', "\n" . 'y' x 200000), body => 'y' x 200000;
c 'HEAD: the length, and no body', req => req('HEAD /'), ans => ans('200 OK', 'Content-Length: 5'), gets => qr/^Content-Length: 5\r/;
c 'HEAD: chunked, and no body', req => req('HEAD /'), ans => ans('200 OK', 'Transfer-Encoding: chunked');
c 'HEAD: chunked, to 1.0', req => req('HEAD / HTTP/1.0', 'Host: x', 'Connection: keep-alive'), ans => ans('200 OK', 'Transfer-Encoding: chunked'), lacks => qr/^Transfer-Encoding/;
c 'HEAD: of an answer without an end', req => req('HEAD /'), ans => { bytes => ans('200 OK', 'Connection: close'), end => 'close' };
c 'HEAD with neither', req => req('HEAD /'), ans => ans('200 OK');
c 'HEAD: an error of ours has no body', req => "HEAD / HTTP/1.1\r\nHost: x\r\nContent-Length: 1, 2\r\n\r\n", status => 400;
c '204', req => req('GET /'), ans => ans('204 No Content'), status => 204;
c '204 with a length: taken out', req => req('GET /'), ans => ans('204 No Content', 'Content-Length: 0'), status => 204, lacks => qr/^Content-Length/;
c '304', req => req('GET /', 'If-None-Match: "a"'), ans => ans('304 Not Modified', 'ETag: "a"'), status => 304, closed => 0, n => 1;
c '304 with a length, which is no body', req => req('GET /'), ans => ans('304 Not Modified', 'Content-Length: 5'), status => 304, closed => 0, n => 1;
c '205 with length 0', req => req('GET /'), ans => ans('205 Reset Content', 'Content-Length: 0'), status => 205;
c '1xx with a length', req => req('GET /'), ans => { interim => ans('103 Early Hints', 'Content-Length: 5'), bytes => ans('200 OK', $L2, "\nok") }, body => 'ok';
c "refused: $_->[0]", req => req('GET /'), ans => { bytes => "HTTP/1.1 200 OK\r\n" . join('', map { "$_\r\n" } @{$_->[1]}) . "\r\nabcde", end => 'close' }, status => 502, n => 1, closed => 0 for
    ['both', ['Content-Length: 5', 'Transfer-Encoding: chunked']], ['two lengths', ['Content-Length: 5', 'Content-Length: 4']], ['a list', ['Content-Length: 5, 4']],
    ['minus', ['Content-Length: -5']], ['sign', ['Content-Length: +5']], ['letters', ['Content-Length: x']], ['empty', ['Content-Length: ']], ['too large', ['Content-Length: 99999999999999999999']],
    ['unknown coding', ['Transfer-Encoding: xx']], ['twice chunked', ['Transfer-Encoding: chunked, chunked']], ['hidden length', ["Content-Length : 5"]], ['chunked is not last', ['Transfer-Encoding: chunked, gzip']];
c 'refused: chunked in 1.0', req => req('GET /'), ans => { bytes => "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", end => 'close' }, status => 502, n => 1, closed => 0;
c 'cut before its length', req => req('GET /'), ans => { bytes => ans('200 OK', 'Content-Length: 9', "\nhello"), end => 'close' }, cut => 1, closed => 1, n => 1;
c 'cut in its chunks', req => req('GET /'), ans => { bytes => ans('200 OK', 'Transfer-Encoding: chunked', "\n5\r\nhello\r\n"), end => 'close' }, cut => 1, closed => 1, n => 1;
c 'cut in its chunks, to 1.0: a reset', req => req('GET / HTTP/1.0', 'Host: x'), ans => { bytes => ans('200 OK', 'Transfer-Encoding: chunked', "\n5\r\nhello\r\n"), end => 'close' }, cut => 1, closed => 1, n => 1;
c 'bad chunks', req => req('GET /'), ans => { bytes => ans('200 OK', 'Transfer-Encoding: chunked', "\n$_"), end => 'close' }, cut => 1, closed => 1, n => 1
    for "5\r\nhelloX", "x\r\n", "5\nhello\r\n0\r\n\r\n", "5\r\nhello\r\n-1\r\n", "5\r\nhello\r\n0\r\n\0: a\r\n\r\n";

section '9112 4 status line';
c 'without a reason', req => req('GET /'), ans => "HTTP/1.1 200 \r\n$L2\r\n\r\nok", gets => qr{^HTTP/1\.1 200 \r};
c 'without the blank before it', req => req('GET /'), ans => "HTTP/1.1 200\r\n$L2\r\n\r\nok", gets => qr{^HTTP/1\.1 200 \r};
c 'any reason', req => req('GET /'), ans => "HTTP/1.1 200 It's f\xc3\xbcr all\r\n$L2\r\n\r\nok", gets => qr{^HTTP/1\.1 200 It's f\xc3\xbcr all\r};
c "an unknown status: $_", req => req('GET /'), ans => "HTTP/1.1 $_ Odd\r\n$L2\r\n\r\nok", status => $_, closed => 0, n => 1 for 299, 399, 499, 599;
c "no status line: " . ($_->[0] =~ s/([^ -~])/sprintf '\\x%02x', ord $1/ger), req => req('GET /'), ans => { bytes => "$_->[0]\r\n$L2\r\n\r\nok", end => 'close' }, status => 502, n => 1, closed => 0
    for map { [$_] } 'HTTP/1.1 20 OK', 'HTTP/1.1 2000 OK', 'HTTP/1.1 20x OK', 'HTTP/1.1 099 OK', 'HTTP/1.1 600 OK', 'HTTP/1.1 999 OK', 'HTTP/1.1  200 OK', "HTTP/1.1\t200 OK", 'HTTP/1.1 -20 OK', 'HTTP/1.1', 'http/1.1 200 OK',
    'HTTP/1 200 OK', 'HTTP/3.0 200 OK', 'ICY 200 OK', ' HTTP/1.1 200 OK', "HTTP/1.1 200 O\0K", "HTTP/1.1 200 O\rK", 'SSH-2.0-x', '200 OK', 'HTTP/1.1x 200 OK', 'HTTP/01.1 200 OK', '';

section '9110 15.2 interim answers';
c '103 goes on', req => req('GET /'), ans => { interim => ans('103 Early Hints', 'Link: </a>'), bytes => ans('200 OK', $L2, "\nok") }, gets => qr{^HTTP/1\.1 103 .*\r\nLink: </a>\r}s;
c 'so does one that nobody knows', req => req('GET /'), ans => { interim => ans('142 What'), bytes => ans('200 OK', $L2, "\nok") }, gets => qr{^HTTP/1\.1 142 };
c 'and several', req => req('GET /'), ans => { interim => ans('103 Early Hints') . ans('102 Processing') . ans('103 Early Hints'), bytes => ans('200 OK', $L2, "\nok") }, gets => qr{^HTTP/1\.1 103 .*HTTP/1\.1 102 .*HTTP/1\.1 103 .*HTTP/1\.1 200 }s;
c 'never to 1.0', req => req('GET / HTTP/1.0', 'Host: x'), ans => { interim => ans('103 Early Hints') . ans('100 Continue'), bytes => ans('200 OK', $L2, "\nok") }, closed => 1, lacks => qr{^HTTP/1\.1 1};
c 'never to 1.0, kept', req => req('GET / HTTP/1.0', 'Host: x', 'Connection: keep-alive'), ans => { interim => ans('103 Early Hints'), bytes => ans('200 OK', $L2, "\nok") }, lacks => qr{^HTTP/1\.1 1};
c 'a server that ends behind one that 1.0 does not see: not asked twice', req => req('GET / HTTP/1.0', 'Host: x'), ans => { interim => ans('103 Early Hints'), bytes => '', end => 'close' }, status => 502, n => 1, heals => 1, lacks => qr{103};
c '101 that nobody asked for', req => req('GET /'), ans => { bytes => ans('101 Switching Protocols', 'Connection: upgrade', 'Upgrade: x'), end => 'close' }, status => 502, n => 1, closed => 0;
c '101 that names no protocol', req => req('GET /', 'Connection: upgrade', 'Upgrade: x'), ans => { bytes => ans('101 Switching Protocols'), end => 'close' }, status => 502, n => 1, closed => 0;

section '9110 10.1.1 Expect';
my $E = 'Expect: 100-continue';
c 'it goes on, and so does 100', req => [req('POST /', $E, $L2), qr/100 Continue\r\n\r\n/, 'ab'], ans => { interim => ans('100 Continue'), bytes => ans('200 OK', $L2, "\nok") }, sees => qr/^Expect: 100-continue\r/, sent => 'ab';
c 'in any case', req => [req('POST /', 'expect: 100-Continue', $L2), qr/100 Continue\r\n\r\n/, 'ab'], ans => { interim => ans('100 Continue'), bytes => ans('200 OK', $L2, "\nok") }, sent => 'ab';
c 'the client need not wait', req => req('POST /', $E, $L2, "\nab"), ans => { interim => ans('100 Continue'), bytes => ans('200 OK', $L2, "\nok") }, sent => 'ab';
c 'nor need the server say it', req => req('POST /', $E, $L2, "\nab"), sent => 'ab';
c 'chunked', req => [req('POST /', $E, 'Transfer-Encoding: chunked'), qr/100 Continue\r\n\r\n/, "2\r\nab\r\n0\r\n\r\n"], ans => { interim => ans('100 Continue'), bytes => ans('200 OK', $L2, "\nok") }, sent => 'ab';
c 'a refusal instead', req => req('POST /', $E, 'Content-Length: 5'), ans => { bytes => ans('403 Forbidden', 'Connection: close', $L2, "\nno"), early => 1 }, status => 403, closed => 1, n => 1, body => 'no';
c 'without a body it means nothing', req => req('GET /', $E), hides => qr/^Expect/;
c 'in 1.0 it is ignored', req => req('POST / HTTP/1.0', 'Host: x', $E, $L2, "\nab"), closed => 1, sent => 'ab', hides => qr/^Expect/;
c 'anything else', req => req('POST /', 'Expect: a', $L2, "\nab"), status => 417;
c 'with a parameter', req => req('POST /', 'Expect: 100-continue;a=b', $L2, "\nab"), status => 417;

c 'a body behind 100 that is none: still a final answer', req => [req('POST /', $E, 'Transfer-Encoding: chunked'), qr/100 Continue\r\n\r\n/, "x\r\n"], ans => { interim => ans('100 Continue'), bytes => '' }, status => 400, n => 1, gets => qr{^HTTP/1\.1 100 };
c 'a server that ends behind an interim answer: still a final one', req => req('POST /', $L2, "\nab"), ans => { interim => ans('103 Early Hints'), bytes => '', end => 'close' }, status => 502, n => 1, closed => 0, heals => 1, gets => qr{^HTTP/1\.1 103 };

section '9110 7.8 Upgrade';
c 'a tunnel', req => [req('GET /', 'Connection: Upgrade', 'Upgrade: echo'), qr/101 .*\r\n\r\n/s], ans => ans('101 Switching Protocols', 'Connection: upgrade', 'Upgrade: echo'), status => 101, n => 1, sees => [qr/^Upgrade: echo\r/, qr/^Connection: upgrade\r/], gets => [qr/^Upgrade: echo\r/, qr/^Connection: upgrade\r/];
c 'the server may decline', req => req('GET /', 'Connection: Upgrade', 'Upgrade: echo'), lacks => qr/^Upgrade/;
c 'it must be named in Connection', req => req('GET /', 'Upgrade: echo'), hides => qr/^Upgrade/;
c 'ignored in 1.0', req => req('GET / HTTP/1.0', 'Host: x', 'Connection: Upgrade', 'Upgrade: echo'), closed => 1, hides => qr/^Upgrade/;
c 'not to HTTP/2', req => req('GET /', 'Connection: Upgrade, HTTP2-Settings', 'Upgrade: h2c', 'HTTP2-Settings: AAMAAABkAAQAAP__'), hides => [qr/^Upgrade/, qr/^HTTP2/];
c '426 says which, though the server forgot Connection', req => req('GET /'), ans => ans('426 Upgrade Required', 'Upgrade: a', $L2, "\nno"), status => 426, closed => 0, n => 1, gets => [qr/^Upgrade: a\r/, qr/^Connection: upgrade\r/];
c '426 says which', req => req('GET /'), ans => ans('426 Upgrade Required', 'Connection: upgrade', 'Upgrade: a', $L2, "\nno"), status => 426, closed => 0, n => 1, gets => [qr/^Upgrade: a\r/, qr/^Connection: upgrade\r/];

section '9110 7.6.2 Max-Forwards';
c 'OPTIONS with 0 ends here', req => req('OPTIONS /', 'Max-Forwards: 0'), n => 0, gets => qr/^Allow: /;
c 'OPTIONS with 5 goes on with 4', req => req('OPTIONS /', 'Max-Forwards: 5'), sees => qr/^Max-Forwards: 4\r/;
c 'OPTIONS with 1', req => req('OPTIONS *', 'Max-Forwards: 1'), sees => qr/^Max-Forwards: 0\r/;
c 'TRACE with 0 is answered here, without secrets', req => req('TRACE /a', 'Max-Forwards: 0', 'Cookie: secret', 'A: b'), port => $ENV{SMALL}, n => 0, gets => [qr{^Content-Type: message/http\r}, qr{^TRACE /a HTTP/1\.1\r}, qr/^A: b\r/], lacks => qr/secret/;
c 'TRACE with 3', req => req('TRACE /', 'Max-Forwards: 3'), port => $ENV{SMALL}, sees => qr/^Max-Forwards: 2\r/;
c 'TRACE with a body', req => req('TRACE /', $L2, "\nab"), port => $ENV{SMALL}, status => 400;
c 'TRACE that is off: 405 says what is not', req => req('TRACE /'), status => 405, closed => 0, gets => qr/^Allow: (?!.*TRACE)/;
c 'other methods carry it on', req => req('GET /', 'Max-Forwards: 0'), sees => qr/^Max-Forwards: 0\r/;
c 'one that is no number', req => req('OPTIONS /', 'Max-Forwards: x'), status => 400;

section '9110 7.6.3 Via';
c 'on requests', req => req('GET /'), sees => qr/^Via: 1\.1 loadbalancer\r/;
c 'with the version that came', req => req('GET / HTTP/1.0', 'Host: x'), closed => 1, sees => qr/^Via: 1\.0 loadbalancer\r/;
c 'behind those that are there', req => req('GET /', 'Via: 1.0 a', 'Via: 1.1 b'), sees => qr/^Via: 1\.0 a\r\nVia: 1\.1 b, 1\.1 loadbalancer\r/;
c 'under another name', req => req('GET /'), port => $ENV{SMALL}, sees => qr/^Via: 1\.1 edge\r/;

section '9110 6.6.1 Date';
my $date = qr/^Date: (Mon|Tue|Wed|Thu|Fri|Sat|Sun), [0-9]{2} [A-Z][a-z]{2} 20[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2} GMT\r/;
c 'an answer without one gets one', req => req('GET /'), ans => ans('200 OK', $L2, "\nok"), gets => $date;
c 'also 304, and to HEAD', req => req('HEAD /'), ans => ans('304 Not Modified'), status => 304, closed => 0, n => 1, gets => $date;
c 'one that is there stays', req => req('GET /'), ans => ans('200 OK', 'Date: Sun, 06 Nov 1994 08:49:37 GMT', $L2, "\nok"), gets => qr/^Date: Sun, 06 Nov 1994 08:49:37 GMT\r/, lacks => $date;
c 'not in interim answers', req => req('GET /'), ans => { interim => ans('103 Early Hints'), bytes => ans('200 OK', 'Date: Sun, 06 Nov 1994 08:49:37 GMT', $L2, "\nok") }, lacks => $date;
c 'our own answers have it', req => req('G@T /'), status => 400, gets => $date;
c 'also 405', req => req('TRACE /'), status => 405, closed => 0, gets => $date;
c 'and 502', req => req('GET /'), ans => { bytes => 'nonsense', end => 'close' }, status => 502, n => 1, closed => 0, heals => 1, gets => $date;

section '9110 9 methods';
c "$_ goes on", req => req("$_ /"), sees => qr{^$_ / HTTP/1\.1} for qw(GET HEAD POST PUT DELETE OPTIONS PATCH PROPFIND);
c 'POST is never tried twice', req => req('POST /', $L2, "\nab"), ans => { bytes => '', end => 'close' }, status => 502, n => 1, closed => 0, heals => 1;

section '9112 7.1, 9.6 ends';
c 'an answer that comes before the body', req => [req('POST /', 'Content-Length: 100000', "\n" . 'x' x 5000), qr/\r\n\r\nno/], ans => { bytes => ans('403 Forbidden', 'Connection: close', $L2, "\nno"), early => 1, end => 'close' }, status => 403, closed => 1, n => 1, reset_ok => 1;
c 'bytes behind an answer are nobody\'s', req => req('GET /'), ans => ans('200 OK', $L2, "\nok" . ans('200 OK', 'Content-Length: 6', "\npoison")), body => 'ok', lacks => qr/poison/;
c 'a client that has said all', req => [req('GET /', 'Connection: close'), 'FIN'], closed => 1;
strict_http::finish();
EOP

# --- the seed's command line: nothing is added ---
start_backend S1
start_lb @ "$S1"
wait_for 5 eval 'req /; [ "$CODE" = 200 ]'
out=$(raw 'GET /headers HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
ok "the seed's command line: no Via goes to servers" eval '! grep -qi "^via:" <<<"$out"'
out=$(raw 'GET /rawclose/HTTP/1.1%20200%20OK%0d%0aContent-Length:%202%0d%0a%0d%0aok HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
is "$out" $'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok' "and no Date to clients"
raw 'G@T / HTTP/1.1\r\n\r\n' >"$TMP/answer"
ok "nor to errors of our own" eval 'printf %s "$ALL_DOWN" | cmp -s - "$TMP/answer"'
finish
