# A client and a server in one process, with the balancer between them: each case says what the client sends, what
# the server answers, and what either must see. Both sides read HTTP/1.1 by the letter (RFC 9110, RFC 9112), so a
# message that two readers could understand differently fails the case that it came from.
#
#	strict_http::start(SERVER_PORT, LB_PORT)	listens; the balancer must need no probes (check none)
#	strict_http::check(NAME, %what)		one case; a line "0 NAME" or "1 NAME" for tests/lib.sh
#	strict_http::finish()			the line "done N"
#
# %what:
#	req	bytes, or a list: bytes to send, qr/.../ to wait for in what came, "FIN" half-closes
#	ans	list of answers of the server, in the order of the requests that it gets: bytes, or
#		{ bytes, end => close|reset, early => 1 (before the body is read), interim => bytes before that }.
#		Without one it answers 200 with method and target as the body.
#	status	of the answer, or a list for several: a number, or a qr//. [] for none
#	closed	1: the balancer must close behind the last answer. 0: the connection must serve another request.
#		Default: 1 when a status is 400 or more, else 0
#	n	requests that the server must get (default: one for each status below 400 or so)
#	sees, hides	what must, or must not, be found in the heads that the server got (qr//, or a list)
#	gets, lacks	the same for what the client got
#	sent	the body that the server must have got	body	the last answer's, at the client
#	methods	of the requests (default: from req, when that is one)
#	cut	the answer must end before its end: no whole answer comes, and the client can see that
#	after	bytes that the server sends when its answer has been taken: the balancer must close that connection
#	fresh	the server's connections of this case must serve nobody else
#	heals	the server may be found to be down by this: it is waited for
#	any	whatever it is, as long as it is HTTP and one answer, or the client can see that it was cut
#	port	another listener of the balancer
# After each case a request on a connection of its own must get its own answer.
package strict_http;
use strict;
use warnings;
use IO::Socket::INET;
use Socket qw(SOL_SOCKET SO_LINGER IPPROTO_TCP TCP_NODELAY);
use Time::HiRes qw(time);

our ($lb, $listener, %server, @answers, @seen, @bad, $count, $limit_s, $verbose);
my $TOKEN = qr/[!#\$%&'*+.^_`|~0-9A-Za-z-]+/;
$limit_s = $ENV{STRICT_LIMIT_S} || 10;	# for a case; only what goes wrong takes it

sub start {
	my $port = shift;
	$lb = shift;
	$listener = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => $port, Listen => 256, ReuseAddr => 1)
	    or die "port $port: $!\n";
	$SIG{PIPE} = 'IGNORE';
	$| = 1;
}

sub finish { print "done $count\n" }

# ---- reading ----

# { line, fields => [[name, value]...], size }; undef: not whole; dies when it is no head.
sub head {
	my ($bytes) = @_;
	my $end = index($bytes, "\r\n\r\n");
	my $text = $end < 0 ? $bytes : substr($bytes, 0, $end + 2);
	die "control byte in a head\n" if $text =~ /[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]/;
	die "bare LF\n" if $text =~ /(?<!\r)\n/;
	die "bare CR\n" if $text =~ /\r(?!\n|\z)/;
	return undef if $end < 0;
	my ($line, @lines) = split /\r\n/, $text;
	my @fields;
	for (@lines) {
		/^($TOKEN):[ \t]*(.*?)[ \t]*$/s or die "field line: $_\n";
		push @fields, [$1, $2];
	}
	return { line => $line, fields => \@fields, size => $end + 4, text => $text };
}

sub values_of { my ($h, $name) = @_; map { $_->[1] } grep { lc $_->[0] eq lc $name } @{$h->{fields}} }
sub options { map { lc } grep { length } map { split /[ \t]*,[ \t]*/ } values_of($_[0], 'Connection') }

# Framing fields as they may be sent: (kind, length)
sub framing {
	my ($h) = @_;
	my @cl = values_of($h, 'Content-Length');
	my @te = values_of($h, 'Transfer-Encoding');
	die "framing said twice\n" if @cl + @te > 1;
	die "Transfer-Encoding: @te\n" if @te && lc $te[0] ne 'chunked';
	die "Content-Length: @cl\n" if @cl && $cl[0] !~ /^[0-9]{1,18}$/;
	return @te ? ('chunked', 0) : @cl ? ('length', $cl[0]) : ('none', 0);
}

# Of a chunked body at the front of $bytes: (size, data), or () when it is not whole. No extensions, no trailers.
sub chunks {
	my ($bytes) = @_;
	my ($at, $data) = (0, '');
	for (;;) {
		my $rest = substr($bytes, $at);
		return () if $rest !~ /\r\n/ && $rest =~ /^[0-9a-fA-F]{0,16}\r?$/;
		$rest =~ /^([0-9a-fA-F]{1,16})\r\n/ or die "chunk size\n";
		my $n = hex $1;
		$at += length($1) + 2;
		return () if length($bytes) < $at + $n + 2;
		die "chunk end\n" if substr($bytes, $at + $n, 2) ne "\r\n";
		$data .= substr($bytes, $at, $n);
		$at += $n + 2;
		return ($at, $data) if $n == 0;
	}
}

# What an intermediary must not let through to a server.
sub request_head {
	my ($h) = @_;
	$h->{line} =~ m{^($TOKEN) (/[!-"\$-~]*|\*) HTTP/1\.1$} or die "request line: $h->{line}\n";
	@$h{qw(method target)} = ($1, $2);
	die "asterisk\n" if $2 eq '*' && $1 ne 'OPTIONS';
	my @host = values_of($h, 'Host');
	die "Host: " . join('|', @host) . "\n" if @host != 1 || $host[0] !~ m{^(\[[0-9A-Fa-f:.v]+\]|[^\s/?#\@\[\]:]+)(:[0-9]*)?$};
	die "$_ went on\n" for grep { values_of($h, $_) } qw(Keep-Alive Proxy-Connection TE Trailer HTTP2-Settings);
	my %option = map { $_ => 1 } options($h);
	die "Upgrade without Connection\n" if values_of($h, 'Upgrade') && !$option{upgrade};
	delete @option{qw(upgrade close)};
	die "Connection: " . join(',', keys %option) . "\n" if %option;
	@$h{qw(framing length)} = framing($h);
}

# The answer to $method at the front of $bytes: { status, size, ... } or undef. $eof: no more will come.
sub response {
	my ($bytes, $method, $eof, $minor) = @_;
	my $h = head($bytes) or return undef;
	$h->{line} =~ m{^HTTP/1\.1 ([1-5][0-9][0-9]) ?[\t -~\x80-\xff]*$} or die "status line: $h->{line}\n";
	my $status = $h->{status} = $1;
	my ($kind, $length) = framing($h);
	my %option = map { $_ => 1 } options($h);
	die "$_ came through\n" for grep { values_of($h, $_) } qw(Keep-Alive Proxy-Connection TE Trailer);
	die "Upgrade without Connection\n" if values_of($h, 'Upgrade') && !$option{upgrade};
	die "chunked to HTTP/1.0\n" if $kind eq 'chunked' && !$minor;
	die "1xx to HTTP/1.0\n" if $status < 200 && !$minor;
	die "framing in $status\n" if ($status < 200 || $status == 204) && $kind ne 'none';
	$h->{close} = $option{close} || (!$minor && !$option{'keep-alive'});
	if ($status < 200 || $status == 204 || $status == 304 || $method eq 'HEAD') {
		$h->{body} = '';
	} elsif ($kind eq 'length') {
		return undef if length($bytes) < $h->{size} + $length;
		$h->{body} = substr($bytes, $h->{size}, $length);
		$h->{size} += $length;
	} elsif ($kind eq 'chunked') {
		my ($size, $data) = chunks(substr($bytes, $h->{size})) or return undef;
		$h->{body} = $data;
		$h->{size} += $size;
	} else {
		die "no framing, and no Connection: close\n" if !$h->{close};
		return undef if !$eof;
		$h->{body} = substr($bytes, $h->{size});
		$h->{size} = length $bytes;
	}
	return $h;
}

# ---- the server ----

sub hang_up {
	my ($c, $hard) = @_;
	setsockopt($c->{fh}, SOL_SOCKET, SO_LINGER, pack('ii', 1, 0)) if $hard;
	delete $server{fileno $c->{fh}};
	close $c->{fh};
}

sub answer {
	my ($c, $a) = @_;
	$a = { bytes => $a } if !ref $a;
	syswrite($c->{fh}, $a->{bytes}) if length $a->{bytes};
	hang_up($c, $a->{end} eq 'reset') if $a->{end};
	return !$a->{end};
}

sub plain_answer {
	my ($r) = @_;
	my $text = "$r->{method} $r->{target}\n";
	my ($token) = values_of($r, 'X-Token');
	return "HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n" . (defined $token ? "X-Token: $token\r\n" : '') .
	    'Content-Length: ' . length($text) . "\r\n\r\n" . ($r->{method} eq 'HEAD' ? '' : $text);
}

# As many requests as stand whole in the buffer. What is no request is noted once, and the connection closed.
sub serve {
	my ($c) = @_;
	while (length $c->{in}) {
		my $r = $c->{r};
		if (!$r) {
			$r = head($c->{in}) or return;
			request_head($r);
			substr($c->{in}, 0, $r->{size}, '');
			$c->{r} = $r;
			push @seen, $r;
			$r->{conn} = $c->{n};
			$r->{answer} = @answers ? shift @answers : plain_answer($r);
			if (ref $r->{answer}) {
				syswrite($c->{fh}, $r->{answer}{interim}) if $r->{answer}{interim};
				answer($c, $r->{answer}) or return if $r->{answer}{early};
			}
		}
		if ($r->{framing} eq 'chunked') {
			my ($size, $data) = chunks($c->{in});
			return if !defined $size;
			substr($c->{in}, 0, $size, '');
			$r->{body} = $data;
		} else {
			return if length $c->{in} < $r->{length};
			$r->{body} = substr($c->{in}, 0, $r->{length}, '');
		}
		$c->{r} = undef;
		$r->{whole} = 1;
		next if ref $r->{answer} && $r->{answer}{early};
		answer($c, $r->{answer}) or return;
	}
}

my $conns = 0;
sub turn {
	my ($client, $until) = @_;
	my $in = '';
	vec($in, fileno $listener, 1) = 1;
	vec($in, $_, 1) = 1 for keys %server;
	vec($in, fileno $client, 1) = 1 if $client;
	my $left = $until - time;
	return 0 if $left <= 0 || select(my $out = $in, undef, undef, $left) <= 0;
	if (vec($out, fileno $listener, 1)) {
		my $fh = $listener->accept or die "accept: $!\n";
		setsockopt($fh, IPPROTO_TCP, TCP_NODELAY, 1);
		$server{fileno $fh} = { fh => $fh, in => '', n => ++$conns };
	}
	for my $fd (keys %server) {
		next if !vec($out, $fd, 1);
		my $c = $server{$fd};
		my $n = sysread($c->{fh}, $c->{in}, 65536, length $c->{in});
		if (!$n) {
			hang_up($c);
		} elsif (!$c->{blind} && !eval { serve($c); 1 }) {
			push @bad, $@ =~ s/\n//r;
			hang_up($c, 1);
		}
	}
	return $client && vec($out, fileno $client, 1) ? 2 : 1;
}

# ---- the client ----

sub dial {
	my $fh = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $_[0]) or die "connect to $_[0]: $!\n";
	setsockopt($fh, IPPROTO_TCP, TCP_NODELAY, 1);
	return { fh => $fh, got => '', eof => '' };
}

# Reads what is there. False: the time is up.
sub more {
	my ($c, $until) = @_;
	my $r = turn($c->{eof} ? undef : $c->{fh}, $until);
	if ($r == 2) {
		my $n = sysread($c->{fh}, $c->{got}, 65536, length $c->{got});
		$c->{eof} = defined $n ? 'closed' : 'reset' if !$n;
	}
	return $r;
}

# Sends; one that has been closed meanwhile takes no more.
sub put {
	my ($c, $bytes) = @_;
	while (length $bytes && !$c->{eof}) {
		my $n = syswrite($c->{fh}, $bytes, 16384);
		last if !defined $n;
		substr($bytes, 0, $n, '');
		more($c, time + 0.0001) if length $bytes;
	}
}

# The answers in what came: takes whole ones from $c->{got}. Interim ones go to $c->{interim}.
sub take_answers {
	my ($c, $methods, $minor) = @_;
	while (@{$c->{answers}} < @$methods) {
		my $a = response($c->{got}, $methods->[@{$c->{answers}}], $c->{eof} eq 'closed', $minor) or last;
		substr($c->{got}, 0, $a->{size}, '');
		push @{$c->{$a->{status} < 200 && $a->{status} != 101 ? 'interim' : 'answers'}}, $a;
		last if $a->{status} == 101;
	}
}

my $probes = 0;
sub probe {
	my ($c) = @_;
	my $target = "/probe/" . ++$probes;
	my $until = time + $limit_s;
	@{$c->{answers}} = ();
	put($c, "GET $target HTTP/1.1\r\nHost: probe\r\nX-Token: $probes\r\n\r\n");
	for (;;) {
		take_answers($c, ['GET'], 1);
		last if @{$c->{answers}} || $c->{eof};
		return "no answer to the next request" if !more($c, $until);
	}
	my $a = $c->{answers}[0] or return "the connection was closed";
	return "the next request got $a->{line}, $a->{body}" if $a->{status} != 200 || $a->{body} ne "GET $target\n";
	return "bytes behind the answer to the next request" if length $c->{got};
	return '';
}

# Patterns are meant line by line.
sub lines { my $re = "$_[0]"; $re =~ s/^\(\?\^/(?^m/; return qr/$re/ }
sub list { my ($v) = @_; return !defined $v ? () : ref $v eq 'ARRAY' ? @$v : ($v) }

sub run {
	my (%w) = @_;
	my @req = list($w{req});
	my @status = exists $w{status} ? list($w{status}) : (200);
	my $all = join '', grep { !ref && $_ ne 'FIN' } @req;
	my @methods = $w{methods} ? @{$w{methods}} : $all =~ /^(?:\r\n)*($TOKEN) / ? ($1) x (@status || 1) : ('GET') x (@status || 1);
	my $minor = $all =~ m{^[^\r]*(?:\r\n)*[^\r]* HTTP/1\.0\r} ? 0 : 1;
	my $refused = grep { !ref && $_ >= 400 || ref } @status;
	my $closed = exists $w{closed} ? $w{closed} : $refused ? 1 : 0;
	my $until = time + $limit_s;
	my $c = dial($w{port} || $lb);
	my (@why, $raw);

	@answers = list($w{ans});
	@seen = @bad = ();
	@$c{qw(answers interim)} = ([], []);
	for my $item (@req) {
		if (ref $item eq 'Regexp') {
			more($c, $until) or last while $c->{got} !~ $item && !$c->{eof};
		} elsif ($item eq 'FIN') {
			shutdown($c->{fh}, 1);
		} else {
			put($c, $item);
		}
	}
	for (;;) {
		last if $c->{eof};
		my $n = eval { my $copy = { %$c, answers => [], interim => [] }; take_answers($copy, \@methods, $minor); @{$copy->{answers}} };
		last if !$closed && !$w{cut} && !$w{any} && (!defined $n || $n >= @status);
		more($c, $until) or do { push @why, 'still open'; last };
	}
	$raw = $c->{got};
	eval { take_answers($c, \@methods, $minor); 1 } or push @why, "client: $@";
	$w{cut} = 1 if $w{any} && !@{$c->{answers}};
	my @got = map { $_->{status} } @{$c->{answers}};
	if ($w{cut}) {
		push @why, "a whole answer came: @got" if @got && !grep { $c->{answers}[0]{status} =~ /^$_$/ } @status;
		push @why, "a quiet end" if $raw =~ /\r\n\r\n/ && $raw !~ /^content-length|^transfer-encoding/im && $c->{eof} ne 'reset';
	} else {
		push @why, "status @got, want @status" if @got != @status || grep { $got[$_] !~ /^(?:$status[$_])$/ } 0 .. $#got;
		push @why, "bytes behind the answer: " . substr($c->{got}, 0, 60) if length $c->{got} && $got[-1] && $got[-1] != 101;
		push @why, "a reset" if $c->{eof} eq 'reset' && !$w{reset_ok} && !$w{any};
		push @why, "closed without Connection: close" if $c->{eof} && @got && $minor && !$c->{answers}[-1]{close} && $got[-1] != 101;
	}
	push @why, "server: $_" for @bad;
	my $n = exists $w{n} ? $w{n} : grep { !ref && $_ < 400 } @status;
	push @why, "the server got " . @seen . " requests, want $n (connections @{[map { $_->{conn} } @seen]})" if ref $n ? scalar(@seen) !~ /^$n$/ : @seen != $n;
	my $heads = join '', map { $_->{text} . "\r\n" } @seen;
	$heads =~ $_ or push @why, "server does not see $_" for map { lines($_) } list($w{sees});
	$heads !~ $_ or push @why, "server sees $_" for map { lines($_) } list($w{hides});
	$raw =~ $_ or push @why, "client does not get $_" for map { lines($_) } list($w{gets});
	$raw !~ $_ or push @why, "client gets $_" for map { lines($_) } list($w{lacks});
	push @why, "the server's body is " . (defined $seen[-1]{body} ? $seen[-1]{body} : 'cut')
	    if exists $w{sent} && (!@seen || !defined $seen[-1]{body} || $seen[-1]{body} ne $w{sent});
	push @why, "the body is " . substr($c->{answers}[-1]{body}, 0, 60)
	    if exists $w{body} && @got && $c->{answers}[-1]{body} ne $w{body};
	my %used = map { $_->{conn} => 1 } @seen;
	my $case = @seen;
	if (exists $w{after}) {
		my @kept = values %server;
		push @why, "the server's connection was not kept" if !@kept;
		syswrite($_->{fh}, $w{after}) for @kept;
		$until = time + 1;
		more($c, $until) or last while grep { $server{fileno($_->{fh}) // -1} } @kept;
		push @why, "a connection that bytes came on is still open" if grep { $server{fileno($_->{fh}) // -1} } @kept;
	}
	if (!$closed && !@why && !$w{cut} && !$w{heals} && !(@got && $got[-1] == 101)) {
		my $bad = eval { probe($c) };
		push @why, "same connection: " . (defined $bad ? $bad : $@) if !defined $bad || $bad;
	}
	close $c->{fh};
	@answers = ();
	my ($other, $bad);
	$until = time + $limit_s;
	for (;;) {
		$other = dial($lb);
		$bad = eval { probe($other) };
		last if !$w{heals} || !defined $bad || $bad !~ / 503 / || time > $until;
		close $other->{fh};
		1 while turn(undef, time + 0.05);
	}
	push @why, "another connection: " . (defined $bad ? $bad : $@) if !defined $bad || $bad;
	close $other->{fh};
	push @why, "server, later: $_" for @bad;
	push @why, "another request went where this one had been"
	    if $w{fresh} && grep { $used{$_->{conn}} } @seen[$case .. $#seen];
	return ($raw, $heads, @why);
}

# For cases of another kind: the server's connections all say something; the body of the next answer to a GET that has
# been sent, or why there is none; an assertion.
sub speak { syswrite $_->{fh}, $_[0] for values %server }
sub next_answer {
	my ($c) = @_;
	my $until = time + $limit_s;
	@$c{qw(answers interim)} = ([], []);
	for (;;) {
		eval { take_answers($c, ['GET'], 1); 1 } or return $@;
		return $c->{answers}[0]{body} if @{$c->{answers}};
		return "closed" if $c->{eof} || !more($c, $until);
	}
}
sub say { my ($good, $name) = @_; $count++; print $good ? 0 : 1, " $name\n" }

sub show { my ($t) = @_; $t = substr($t, 0, 600); $t =~ s/\r/\\r/g; $t =~ s/([^\n -~])/sprintf '\\x%02x', ord $1/ge; $t =~ s/^/#   /mg; return $t }

sub check {
	my ($name, %w) = @_;
	my ($raw, $heads, @why) = run(%w);
	$count++;
	print @why ? 1 : 0, " $name\n";
	return !@why if !@why;
	chomp @why;
	print STDERR "# $name: ", join('; ', @why), "\n", "# client got:\n", show($raw), "\n# server got:\n", show($heads), "\n";
	return 0;
}

1;
