#!/usr/bin/perl
# strict_answers.pl SEED SECONDS COUNT SERVER_PORT LB_PORT: answers of a server, valid and broken, through the balancer
# that stands at LB_PORT before SERVER_PORT. A whole answer in order must reach the client with its body; of any other,
# a refusal (502), or an end that the client can tell from a good one. What the client gets must be HTTP by the letter,
# and the next requests must get their own answers (tests/tools/strict_http.pm looks).
#
# Prints "0 TEXT" or "1 TEXT" for tests/lib.sh; on stderr the seed of what went wrong.
use strict;
use warnings;
use Time::HiRes qw(time);
use strict_http;

my ($seed, $seconds, $count, $server, $lb) = @ARGV;
strict_http::start($server, $lb);

sub pick { return $_[int rand @_] }
sub maybe { my ($p, @what) = @_; return rand() < $p ? @what : () }

# An answer to $method: (bytes, body that the client must get, whether the connection ends it)
sub good {
	my ($method, $minor) = @_;
	my $status = pick(200, 200, 200, 201, 204, 206, 301, 304, 404, 418, 500, 599);
	my $data = pick('', 'x', '=' x int rand 3000, "HTTP/1.1 200 OK\r\nX-Poison: 1\r\nContent-Length: 6\r\n\r\npoison", "0\r\n\r\n", rand() < 0.05 ? '=' x (40000 + int rand 60000) : 'abc');
	my $bodyless = $method eq 'HEAD' || $status == 204 || $status == 304;
	my $framing = pick(qw(length length chunked close));
	$framing = 'length' if $framing eq 'chunked' && !$minor;
	my @f = (maybe(0.3, 'Date: Sun, 06 Nov 1994 08:49:37 GMT'), maybe(0.3, pick('X-A:  b ', 'x-empty:', "X-High: \xe4", 'Set-Cookie: a=b', 'Keep-Alive: timeout=5, max=3', 'Via: 1.0 a', 'Connection: X-A', 'Server: s', 'Upgrade: h2c')));
	my $bytes = $data;
	if ($framing eq 'length') {
		push @f, pick('Content-Length: ', 'content-length:', "CONTENT-LENGTH:\t0") . length $data;
	} elsif ($framing eq 'chunked') {
		push @f, pick('Transfer-Encoding: chunked', 'transfer-encoding:CHUNKED');
		my $rest = $data;
		$bytes = '';
		while (length $rest) {
			my $piece = substr $rest, 0, 1 + int rand pick(3, 200, length $rest), '';
			$bytes .= sprintf(pick('%x', '%X', '0%x'), length $piece) . join('', maybe(0.1, pick(';a', ';a=b', ' ; a="b;c"'))) . "\r\n$piece\r\n";
		}
		$bytes .= "0\r\n" . join('', maybe(0.2, "X-T: v\r\n")) . "\r\n";
	}
	push @f, 'Connection: keep-alive' if !$minor && $framing ne 'close';
	push @f, maybe(0.1, 'Connection: close');
	@f = sort { rand() <=> 0.5 } @f;
	my $head = "HTTP/1.$minor $status " . pick('OK', '', 'What is it', "\xe4") . "\r\n" . join('', map { "$_\r\n" } @f) . "\r\n";
	$bytes = $data = '' if $bodyless;
	return ($head, $bytes, $data, $status, !$bodyless && $framing eq 'close');
}

my @LINES = ("Transfer-Encoding: chunked", "Transfer-Encoding : chunked", "Transfer-Encoding: x", "Transfer-Encoding: chunked, chunked", "Transfer-Encoding:\x0bchunked", " Transfer-Encoding: chunked", "Content-Length: 5", "Content-Length: 0", "Content-Length: +3",
    "Content-Length: 3, 3", "Content-Length : 3", "Content-Length:", "Content-Length: 99999999999999999999", "Host: y", ": x", "X Y: z", "X: a\0b", "X: a\rb", "X: a\nY: b", "X: a\r\n b", "Connection: close", "Connection: a b", "Connection: \"a\"",
    "\tX: y", "X\t: y", "Upgrade: websocket", "Transfer-Encoding:", "Content-Length: 0x3", "X: " . 'y' x 17000, "HTTP/1.1 200 OK");
sub broken {
	my ($head, $body) = @_;
	my @lines = split /(?<=\r\n)/, substr $head, 0, -2;
	my $nasty = sub { pick("\r", "\n", "\r\n", "\0", ' ', "\t", ':', ',', ';', "\x7f", "\x80", "\x0b", '0', '1', 'f', 'x', '-', '+', '/', "\r\n\r\n", 'A') };
	my $kind = int rand 9;
	my $at = int rand length $head;
	if ($kind == 0) { substr $head, $at, 0, $nasty->() }
	elsif ($kind == 1) { substr $head, $at, 1, $nasty->() }
	elsif ($kind == 2) { substr $head, $at, 1 + int rand 3, '' }
	elsif ($kind == 3) { splice @lines, int(rand @lines) + (@lines > 0), 0, pick(@LINES) . "\r\n"; $head = join('', @lines) . "\r\n" }
	elsif ($kind == 4) { splice @lines, int(rand @lines), 0, pick(@lines); $head = join('', @lines) . "\r\n" }
	elsif ($kind == 5) { splice @lines, int(rand @lines), 1; $head = join('', @lines) . "\r\n" }
	elsif ($kind == 6) { $body = substr $body, 0, int rand 1 + length $body }
	elsif ($kind == 7) { my $i = int rand 1 + length $body; substr $body, $i, $i < length $body ? int rand 2 : 0, $nasty->() }
	else { $body .= pick($nasty->(), "HTTP/1.1 200 OK\r\nX-Poison: 1\r\nContent-Length: 6\r\n\r\npoison") }
	# A head without an end would be waited for.
	return $head . $body . ("$head$body" =~ /\r\n\r\n/ ? '' : "\r\n\r\n");
}

my ($n, $whole, $odd, @failed) = (0, 0, 0);
my $until = time + $seconds;
while ($n < $count && time < $until && @failed < 5) {
	my $now = $seed + $n++;
	srand $now;
	my $method = pick(qw(GET GET GET HEAD POST OPTIONS));
	my $client_minor = rand() < 0.85 ? 1 : 0;
	my ($head, $bytes, $data, $status, $closes) = good($method, rand() < 0.85 ? 1 : 0);
	my $interim = rand() < 0.1 ? "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" : undef;
	my $ordered = rand() < 0.6;
	my $req = "$method /r/$now HTTP/1." . ($client_minor ? "1\r\nHost: x\r\n" . ($ordered ? '' : "Connection: close\r\n") : "0\r\n") . ($method eq 'POST' ? "Content-Length: 3\r\n\r\nabc" : "\r\n");
	my (@why, $raw, $heads);
	if ($ordered) {
		$whole++;
		# Chunks go to 1.0 as an answer that ends with its connection.
		my $ends = $closes || !$client_minor;
		($raw, $heads, @why) = strict_http::run(req => $req, ans => { bytes => "$head$bytes", $interim ? (interim => $interim) : (), $closes || $head =~ /^connection: close/im ? (end => 'close') : () },
		    status => $status, n => 1, closed => $ends ? 1 : 0, body => $data);
	} else {
		# It may come through whole, as long as it is HTTP, be refused, or be cut.
		$odd++;
		($raw, $heads, @why) = strict_http::run(req => $req, ans => { bytes => broken($head, $bytes), end => 'close' }, status => qr/.../, n => 1, any => 1, heals => 1);
	}
	next if !@why;
	chomp @why;
	push @failed, $now;
	print STDERR "# seed $now, $method: ", join('; ', @why), "\n# server said:\n", strict_http::show("$head$bytes"), "\n# server got:\n", strict_http::show($heads), "\n# client got:\n", strict_http::show($raw), "\n";
}
print @failed ? 1 : 0, " $whole answers in order, $odd that were not", @failed ? " (wrong: seed $failed[0])" : '', "\n";
print $whole && $odd || $count < 10 ? 0 : 1, " there were both kinds\n";
print "done 2\n";
