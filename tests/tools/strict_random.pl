#!/usr/bin/perl
# strict_random.pl SEED SECONDS COUNT LOG... -- PORT...: random sequences of valid and broken messages, pipelined
# through balancers that stand at PORT... before servers that record what they get in LOG... (tests/demo/backend.c --log).
#
# A second reader, written from RFC 9112 and the manual page and not from the balancer's, reads the same bytes: which
# requests stand in them, with which bodies, and where does sense end? The servers must have got just these, the client
# one answer for each in order, told apart by tokens, and at the end a refusal, or the end of the connection.
#
# Prints "0 TEXT" or "1 TEXT" for tests/lib.sh, and on stderr the seed of the sequence that went wrong: the same SEED
# with a COUNT of 1 repeats it.
use strict;
use warnings;
use Fcntl;
use IO::Socket::INET;
use Socket qw(AF_INET6 IPPROTO_TCP TCP_NODELAY inet_pton);
use Time::HiRes qw(time);
use strict_http;

my ($seed, $seconds, $count) = splice @ARGV, 0, 3;
my (@logs, @ports);
push @logs, shift @ARGV while @ARGV && $ARGV[0] ne '--';
shift @ARGV;
@ports = @ARGV;
my $AT_ONCE = 24;	# connections
$SIG{PIPE} = 'IGNORE';

# ---- cksum(1), as the servers write it ----

my @table;
for my $i (0 .. 255) {
	my $v = $i << 24;
	$v = ($v << 1 ^ ($v & 0x80000000 ? 0x04c11db7 : 0)) & 0xffffffff for 1 .. 8;
	push @table, $v;
}
sub cksum {
	my ($data) = @_;
	my ($v, $n) = (0, length $data);
	$v = ($v << 8 & 0xffffffff) ^ $table[$v >> 24 ^ $_] for unpack 'C*', $data;
	for (; $n; $n >>= 8) { $v = ($v << 8 & 0xffffffff) ^ $table[$v >> 24 ^ $n & 255] }
	return ~$v & 0xffffffff;
}

# ---- the second reader ----

my $TOKEN = qr/[!#\$%&'*+.^_`|~0-9A-Za-z-]+/;

sub is_authority {
	my ($a) = @_;
	my ($host, $port) = $a =~ /^(\[[^\]]*\]|[^:]*)(?::([0-9]*))?$/ or return 0;
	return 0 if defined $port && length $port && $port > 65535;
	return $1 =~ /^v[0-9a-f]+\.[!\$&'()*+,;=:._~0-9a-z-]+$/i || ($1 !~ /%/ && defined inet_pton(AF_INET6, $1)) if $host =~ /^\[(.*)\]$/;
	return $host =~ /^(?:[!\$&'()*+,;=._~0-9A-Za-z-]|%[0-9A-Fa-f]{2})+$/;
}

# One head: a hash; a string: why it is none; undef: it has no end yet.
sub read_head {
	my ($bytes) = @_;
	my $blank = $bytes =~ s/^((?:\r\n)+)// ? length $1 : 0;
	return 'blank lines' if $blank > 8;
	my $end = index $bytes, "\r\n\r\n";
	my $text = $end < 0 ? $bytes : substr $bytes, 0, $end + 2;
	return 'control' if $text =~ /[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|(?<!\r)\n|\r(?!\n|\z)/;
	return undef if $end < 0;
	my ($line, @lines) = split /\r\n/, $text;
	my ($method, $target, $major, $minor) = $line =~ m{^($TOKEN) ([!-~]+) HTTP/([0-9])\.([0-9])$} or return 'request line';
	my %h = (method => $method, minor => $minor ? 1 : 0, size => $blank + $end + 4, body => '', token => '-', fields => {});
	return 'version' if $major != 1;
	return 'CONNECT' if $method eq 'CONNECT';
	my $authority;
	($authority, $target) = ($1, $2) if $target =~ m{^https?://([^/?]*)(.*)$}i;
	return 'target' if $target =~ /[#"<>]/ || $target =~ /^[^?]*\\/;
	if (defined $authority) {
		return 'authority' if !is_authority($authority);
		$target = ($target eq '' && $method eq 'OPTIONS' ? '*' : "/$target") if $target !~ m{^/};
	}
	return 'target' if $target !~ m{^/} && !($target eq '*' && $method eq 'OPTIONS');
	return 'too large' if length $text > 15 * 1024;	# max-head
	return 'too many' if @lines > 128;
	my %named;
	for (@lines) {
		my ($name, $value) = /^($TOKEN):[ \t]*(.*?)[ \t]*$/s or return 'field';
		push @{$h{fields}{lc $name}}, $value;
		$h{token} = $value if lc $name eq 'x-token';
	}
	my $f = sub { @{$h{fields}{$_[0]} || []} };
	my @host = $f->('host');
	return 'Host' if @host > 1 || (!@host && $minor) || grep { !is_authority($_) } @host;
	my $options = 0;
	for my $value ($f->('connection')) {
		my $empty = 0;
		for my $option (split /,/, $value, -1) {
			$option =~ s/^[ \t]+|[ \t]+$//g;
			$empty = $option eq '' ? $empty + 1 : 0;
			return 'Connection' if $empty > 16 || $option !~ /^(?:$TOKEN)?$/;
			$named{lc $option} = 1;
			return 'Connection' if $option ne '' && ++$options > 64;
		}
	}
	$h{keep} = !$named{close} && ($minor || $named{'keep-alive'});
	$h{token} = '-' if $named{'x-token'};
	my (@cl, @te) = ($f->('content-length'));
	@te = $f->('transfer-encoding');
	return 'framing' if @cl && @te || @cl > 1 || @te > 1;
	return 'length' if @cl && ($cl[0] !~ /^[0-9]+$/ || $cl[0] > 9e18);
	return 'coding' if @te && (!$minor || lc $te[0] ne 'chunked');
	my $body = @te || (@cl && $cl[0] > 0);
	return 'TRACE' if $method eq 'TRACE' && $body;
	my @expect = $f->('expect');
	return 'Expect' if $minor && @expect && (@expect > 1 || lc $expect[0] ne '100-continue');
	$h{expect} = $minor && @expect && $body;
	my @max = $f->('max-forwards');
	if (@max && $method =~ /^(OPTIONS|TRACE)$/) {
		return 'Max-Forwards' if @max > 1 || $max[0] !~ /^[0-9]+$/;
		$h{own} = 200 if $max[0] == 0;
	}
	$h{own} = 405 if $method eq 'TRACE';
	@h{qw(target chunked length)} = ($target, scalar @te, @cl ? $cl[0] : 0);
	$h{keep} = 0 if $h{own} && ($body || !$minor);
	return \%h;
}

# What comes of a chunked body: (size, data); a string: why it is none; undef: not whole.
sub read_chunks {
	my ($bytes) = @_;
	my ($at, $data) = (0, '');
	my $quoted = qr/"(?:[\t !#-\[\]-~\x80-\xff]|\\[\t -~\x80-\xff])*"/;
	my $ext = qr/(?:[ \t]*;[ \t]*$TOKEN(?:[ \t]*=[ \t]*(?:$TOKEN|$quoted))?)*/;
	for (;;) {
		my $rest = substr $bytes, $at;
		my $eol = index $rest, "\n";
		my $line = $eol < 0 ? $rest : substr $rest, 0, $eol + 1;
		return length $line > 1024 ? 'line' : $line =~ /^[0-9A-Fa-f]*\r?$/ || $line =~ /^[0-9A-Fa-f]+[ \t]*;/ && $line !~ /[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]/ || $line =~ /^[0-9A-Fa-f]+[ \t]+$/ ? undef : 'size' if $eol < 0;
		my ($n) = $line =~ /^([0-9A-Fa-f]+)$ext\r\n$/ or return 'size';
		return 'size' if $n =~ /[1-9A-Fa-f].{15}/;
		$n = hex $n;
		$at += length $line;
		last if !$n;
		return undef if length($bytes) < $at + $n;
		$data .= substr $bytes, $at, $n;
		my $crlf = substr $bytes, $at + $n, 2;
		return $crlf eq '' || $crlf eq "\r" ? undef : 'end' if $crlf ne "\r\n";
		$at += $n + 2;
	}
	for (;;) {
		my $rest = substr $bytes, $at;
		$rest =~ /^([^\n]*\n)/ or return $rest =~ /^\r?$|^$TOKEN(?::[^\x00-\x08\x0b-\x1f\x7f]*\r?)?$/ ? undef : 'trailer';
		my $line = $1;
		$at += length $line;
		return ($at, $data) if $line eq "\r\n";
		$line =~ /^$TOKEN:[^\x00-\x08\x0a-\x1f\x7f]*\r\n$/ or return 'trailer';
	}
}

# All of a connection's bytes, which are followed by FIN: ([requests], end), where end is
# refused: an error must be answered; cut: ends inside a message; over: ends behind one.
sub read_all {
	my ($bytes) = @_;
	my @requests;
	for (;;) {
		return (\@requests, 'over') if $bytes eq '';
		my $h = read_head($bytes);
		return (\@requests, 'cut') if !defined $h;
		return (\@requests, 'refused') if !ref $h;
		substr $bytes, 0, $h->{size}, '';
		if ($h->{own}) {
			push @requests, $h;
			return (\@requests, 'over') if !$h->{keep};
			next;
		}
		if ($h->{chunked}) {
			my ($size, $data) = read_chunks($bytes);
			return (\@requests, 'cut') if !defined $size;
			return (\@requests, 'refused') if !defined $data;
			$h->{body} = $data;
			substr $bytes, 0, $size, '';
		} else {
			return (\@requests, 'cut') if length $bytes < $h->{length};
			$h->{body} = substr $bytes, 0, $h->{length}, '';
		}
		push @requests, $h;
		# Answers that end with their connection: these, and chunked ones to clients that know no chunks.
		return (\@requests, 'over') if !$h->{keep} || $h->{target} =~ m{^/close(?:/|\?|$)} && $h->{method} ne 'HEAD' ||
		    !$h->{minor} && $h->{target} =~ m{^/chunked(?:/|\?|$)} && $h->{method} ne 'HEAD';
	}
}

# ---- messages ----

sub pick { return $_[int rand @_] }
sub maybe { my ($p, @what) = @_; return rand() < $p ? @what : () }

sub body_text {
	my $n = pick(0, 1, 2, 5, 17, 100, int rand 3000, rand() < 0.03 ? 40000 + int rand 60000 : 3);
	# No filler of letters: behind a broken length it would be a method longer than any server takes.
	return pick('=' x $n, join('', map { chr int rand 256 } 1 .. ($n > 300 ? 300 : $n)),
	    "GET /smuggled HTTP/1.1\r\nHost: x\r\nX-Token: smuggled\r\n\r\n", "0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n");
}

sub chunked_text {
	my ($data) = @_;
	my $out = '';
	my $name = sub { pick(qw(a b GET 0 x-y)) };
	while (length $data) {
		my $n = 1 + int rand pick(3, 50, length $data);
		my $piece = substr $data, 0, $n, '';
		$out .= sprintf(pick('%x', '%X', '0%x', '000%x'), length $piece) . join('', maybe(0.2, ';' . $name->() . pick('', '=1', ' = "a;\\"b"', '=""'))) . "\r\n$piece\r\n";
	}
	return $out . pick('0', '00', '0;a=b') . "\r\n" . join('', maybe(0.2, "X-T: v\r\n"), maybe(0.1, "Content-Length: 5\r\nHost: y\r\n")) . "\r\n";
}

my $tokens = 0;
sub message {
	my $token = 't' . ++$tokens;
	my $version = pick('1.1', '1.1', '1.1', '1.1', '1.1', '1.1', '1.0');
	my $method = pick(qw(GET GET GET POST PUT HEAD OPTIONS DELETE FROB));
	my $path = pick('/x', '/bytes/' . int(rand 900), '/chunked/' . int(rand 900), '/echo', '/digest', "/p?q=$token&a=%00%0d", '/headers', rand() < 0.03 ? '/close/' . int rand 500 : '/y;z', rand() < 0.02 ? '/bytes/' . int rand 99999 : '/..');
	my $target = pick(($path) x 8, "http://h$path", "HTTPS://[::1]:80$path", $method eq 'OPTIONS' ? ('*', 'http://h') : $path);
	my @f = ("X-Token: $token");
	push @f, pick('Host: x', 'host:x', 'HOST: example.org:8080 ', "Host:\tx") if $version eq '1.1' || rand() < 0.5;
	push @f, maybe(0.3, pick('Accept: */*', "X-A:\t b \t", 'X-Empty:', "X-High: \xe4\xff", 'Cookie: a=b; c=d', 'Keep-Alive: 5', 'TE: trailers, gzip', 'Upgrade: h2c', 'Via: 1.0 a', 'X-Forwarded-For: 1.2.3.4', 'Max-Forwards: 3', 'Expect: 100-continue', 'Trailer: X-T'));
	push @f, maybe(0.1, 'Connection: ' . pick('keep-alive', 'X-A', 'close, te', ',,keep-alive,,', 'Keep-Alive, X-Empty', 'Host', 'Content-Length', 'upgrade'));
	push @f, maybe($version eq '1.0' ? 0.7 : 0.05, pick('Connection: keep-alive', 'connection: Keep-Alive'));
	my $body = '';
	if (rand() < ($method =~ /POST|PUT|FROB/ ? 0.9 : 0.1)) {
		$body = body_text();
		if ($version eq '1.1' && rand() < 0.5) {
			push @f, pick('Transfer-Encoding: chunked', 'transfer-encoding:Chunked');
			$body = chunked_text($body);
		} else {
			push @f, pick('', '', '0') . 'Content-Length: ' . length $body;
			$f[-1] =~ s/^0(.*: )/${1}00/;
		}
	}
	for my $i (reverse 1 .. $#f) { my $j = int rand $i + 1; @f[$i, $j] = @f[$j, $i] }
	return join('', maybe(0.05, "\r\n")) . "$method $target HTTP/$version\r\n" . join('', map { "$_\r\n" } @f) . "\r\n$body";
}

my @LINES = ("Transfer-Encoding: chunked", "Transfer-Encoding : chunked", "Transfer-Encoding: x", "Transfer-Encoding: chunked, chunked", "Transfer-Encoding:\x0bchunked", " Transfer-Encoding: chunked",
    "Content-Length: 5", "Content-Length: 0", "Content-Length: +3", "Content-Length: 3, 3", "Content-Length : 3", "Content-Length:", "Content-Length: 99999999999999999999", "Host: y", "Host: a b", "Host", ": x", "X Y: z", "X: a\0b",
    "X: a\rb", "X: a\nY: b", "X: a\r\n b", "Connection: X-Token", "Connection: close", "Connection: a b", "Connection: \"a\"", "Expect: x", "Expect: 100-continue", "Max-Forwards: 0", "Max-Forwards: x", "\tX: y", "X\t: y", "Upgrade: websocket", "X-Token: other", "Transfer-Encoding:", "Content-Length: 0x3", "Content_Length: 4", "X: " . 'y' x 9000);
# Something is done to a message that may make it mean something else, or nothing.
sub broken {
	my ($m) = @_;
	my $head = index($m, "\r\n\r\n") + 4;
	my $at = int rand(rand() < 0.7 ? $head : length $m);
	my $nasty = sub { pick("\r", "\n", "\r\n", "\0", ' ', "\t", ':', ',', ';', '"', "\x7f", "\x80", "\x0b", '0', '1', 'f', 'x', '-', '+', '/', '%', "\r\n\r\n", '\\', '#', '?', 'A') };
	my @eol;
	push @eol, $-[0] while $m =~ /\r\n/g;
	return $m if !@eol;
	my @lines = split /(?<=\r\n)/, substr $m, 0, $head - 2;
	my $kind = int rand 10;
	if ($kind == 0) { substr $m, $at, 0, $nasty->() }
	elsif ($kind == 1) { substr $m, $at, 1, $nasty->() }
	elsif ($kind == 2) { substr $m, $at, 1 + int rand 3, '' }
	elsif ($kind == 3) { substr $m, pick(@eol), 2, pick("\n", "\r", "\r\r\n", "\n\n", "\n\r", '', "\r\n\r\n", "\r\n ") }
	elsif ($kind == 4) { splice @lines, int(rand @lines) + 1, 0, pick(@LINES) . "\r\n"; $m = join('', @lines) . substr $m, $head - 2 }
	elsif ($kind == 5) { splice @lines, int(rand @lines) + 1, 0, pick(@lines); $m = join('', @lines) . substr $m, $head - 2 }
	elsif ($kind == 6) { splice @lines, int(rand @lines), 1; $m = join('', @lines) . substr $m, $head - 2 }
	elsif ($kind == 7) { $m =~ s{HTTP/1\.[01]}{pick('HTTP/1.0', 'HTTP/1.1', 'HTTP/1.2', 'HTTP/2.0', 'HTTP/0.9', 'http/1.1', 'HTTP/1.11', 'HTTP/1.')}e }
	elsif ($kind == 8) { $m = substr $m, 0, $at }
	else { $m .= pick($nasty->(), "\r\n", 'x', "0\r\n\r\n", "\r\n\r\n\r\n") }
	return $m;
}

# ---- connections ----

sub start_one {
	my ($seed_now) = @_;
	srand $seed_now;
	my @m = map { message() } 1 .. 1 + int rand 8;
	my $wrong = rand() < 0.6;
	$m[$_] = broken($m[$_]) for $wrong ? maybe(1, int rand @m) : ();
	$m[$_] = broken($m[$_]) for $wrong ? maybe(0.3, int rand @m) : ();
	my $bytes = join '', @m;
	my $fh = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => pick(@ports)) or die "connect: $!\n";
	setsockopt($fh, IPPROTO_TCP, TCP_NODELAY, 1);
	$fh->blocking(0);
	my ($requests, $end) = read_all($bytes);
	return { fh => $fh, seed => $seed_now, all => $bytes, out => $bytes, got => '', requests => $requests, end => $end, cut_at => rand() < 0.3 ? 1 + int rand 40 : 1 << 20, since => time };
}

# What is wrong with the answers, or ''.
sub judge {
	my ($c) = @_;
	my @want = @{$c->{requests}};
	my ($bytes, $refused) = ($c->{got}, 0);
	while (@want || $bytes ne '') {
		my $w = $want[0];
		my $last = $w || { method => 'GET', minor => 1 };
		# Interim answers may come before any other, also for a request that is refused in the end.
		my $a = eval {
			strict_http::response($bytes, $last->{method}, 1, $last->{minor}) ||
			    # it was a HEAD that was refused
			    ($w ? undef : strict_http::response($bytes, 'HEAD', 1, 1))
		};
		return "an answer that is none: $@" if $@;
		# Who says close and sends more may be answered with a reset, which may overtake the answer.
		return '' if !$a && $c->{reset} && @want == 1 && !$w->{keep};
		return 'no whole answer to ' . ($w ? "$w->{method} $w->{target} $w->{token}" : 'nothing') . ' in: ' . substr($bytes, 0, 200) if !$a;
		substr $bytes, 0, $a->{size}, '';
		next if $a->{status} < 200;
		my ($token) = (strict_http::values_of($a, 'X-Token'), '-');
		my ($server) = strict_http::values_of($a, 'X-Backend');
		if (!$w) {
			return "an answer more: $a->{line} $token" if $server || $refused || $a->{status} !~ /^(400|408|413|414|417|431|501|505)$/;
			return "an answer more: $a->{line}, though all was in order" if $c->{end} eq 'over';
			return "a refusal that does not say close" if !$a->{close};
			$refused = 1;
			next;
		}
		shift @want;
		if ($w->{own}) {
			return "not answered here: $a->{line}" if $server || $a->{status} != $w->{own};
			next;
		}
		next if $a->{status} == 502 && $w->{target} =~ m{^/(?:bytes|chunked|close)/[-+]};	# the server takes these for large numbers
		return "answer $a->{line} from nobody to $w->{method} $w->{target} $w->{token}" if !$server;
		return "the answer to $token for $w->{token}" if $token ne $w->{token};
		return "the answer's body is not what was sent, for $token" if $w->{target} eq '/echo' && $w->{method} ne 'HEAD' && $a->{body} ne $w->{body};
	}
	return "no refusal" if $c->{end} eq 'refused' && !$refused;
	return '';
}

my (%expected, %from, @open, @failed);
my ($begun, $done, $requests, $refusals, $bytes) = (0, 0, 0, 0, 0);
my $until = time + $seconds;

sub complain {
	my ($c, $why) = @_;
	push @failed, $c->{seed};
	return if @failed > 5;
	print STDERR "# seed $c->{seed}: $why (expected: ", scalar @{$c->{requests}}, " requests, then $c->{end})\n# sent:\n",
	    strict_http::show($c->{all}), "\n# got:\n", strict_http::show($c->{got}), "\n";
}

sub over {
	my ($c) = @_;
	my $why = judge($c);
	complain($c, $why) if $why;
	for (grep { !$_->{own} } @{$c->{requests}}) {
		my $line = sprintf "%s %s token=%s body=%d crc=%u", $_->{method}, $_->{target}, $_->{token}, length $_->{body}, cksum($_->{body});
		$expected{$line}++;
		$from{$line} = $c;
		$requests++;
	}
	$refusals += $c->{end} eq 'refused';
	$bytes += length $c->{all};
	close $c->{fh};
	$done++;
}

while (1) {
	push @open, start_one($seed + $begun++) while @open < $AT_ONCE && $begun < $count && time < $until;
	last if !@open;
	my ($in, $out) = ('', '');
	for (@open) {
		vec($in, fileno $_->{fh}, 1) = 1;
		vec($out, fileno $_->{fh}, 1) = 1 if $_->{out} ne '';
	}
	select my $r = $in, my $w = $out, undef, 1;
	my @left;
	for my $c (@open) {
		my $fd = fileno $c->{fh};
		my $ended = 0;
		if (vec $w, $fd, 1) {
			my $n = syswrite $c->{fh}, $c->{out}, $c->{cut_at};
			$c->{since} = time if $n;	# some write a few bytes at a time, which takes a while on a machine that is busy
			# Closed on us after a refusal, perhaps; what it said before is still to be read.
			$c->{out} = defined $n ? substr $c->{out}, $n : $!{EAGAIN} ? $c->{out} : '';
			shutdown $c->{fh}, 1 if $c->{out} eq '';
		}
		if (vec $r, $fd, 1) {
			$! = 0;
			my $n = sysread $c->{fh}, $c->{got}, 65536, length $c->{got};
			$ended = 1 if defined $n ? $n == 0 : !$!{EAGAIN};
		}
		if (!$ended && time - $c->{since} > 20) {
			complain($c, 'still open after 20 s');
			$ended = 1;
		}
		$c->{reset} = 1 if $ended && $!{ECONNRESET};
		$ended ? over($c) : push @left, $c;
	}
	@open = @left;
}

# ---- what the servers got ----

my (%got, $bad);
my $patience = time + 5;
do {
	(%got, $bad) = ();
	my @lines;
	for my $name (@logs) {
		open my $fh, '<:raw', $name or die "$name: $!\n";
		push @lines, <$fh>;
	}
	chomp @lines;
	$bad = join '; ', grep { /^BAD/ } @lines;
	$got{$_}++ for map { s/ fd=[0-9]+$//r } grep { !/^BAD|\/healthcheck/ } @lines;
	select undef, undef, undef, 0.05 if keys %got < keys %expected;
} while keys %got < keys %expected && time < $patience;

my @missing = grep { ($got{$_} || 0) < $expected{$_} } keys %expected;
my @more = grep { $got{$_} > ($expected{$_} || 0) } keys %got;
print STDERR "# never got there (seed $from{$_}{seed}): $_\n" for @missing[0 .. ($#missing < 4 ? $#missing : 4)];
print STDERR "# got there, and is in nobody's bytes: ", strict_http::show($_), "\n" for @more[0 .. ($#more < 4 ? $#more : 4)];
print @failed ? 1 : 0, " $done connections, $bytes bytes: $requests requests answered in order, $refusals refusals", @failed ? ' (wrong: ' . @failed . " from seed $failed[0])" : '', "\n";
print @missing ? 1 : 0, " the servers got every request that was in order, with its body\n";
print @more ? 1 : 0, " and not one more\n";
print $bad ? 1 : 0, " none of them was in doubt of what it got", $bad ? ": $bad" : '', "\n";
print $done && $requests > $done / 2 && ($refusals || $count < 100) ? 0 : 1, " there were enough of both kinds\n";
print "done 5\n";
