#!/usr/bin/perl
# Clients that are a trial for a balancer: pests.pl PORT [PATH], until it is ended; then it says what they got. Four
# read what is large at 100 KiB/s each with a small window, four send the head of a request one byte in a millisecond.
use strict;
use warnings;
use Errno qw(EAGAIN EINPROGRESS ENOTCONN);
use Socket qw(:DEFAULT SOCK_NONBLOCK);

my ($port, $large) = (@ARGV, '/10m');
my $to = sockaddr_in($port, INADDR_LOOPBACK);
my $head = "GET / HTTP/1.1\r\nHost: pest\r\nX-Filler: " . 'x' x 400 . "\r\n\r\n";
my @pest = ((map { { slow => 1 } } 1 .. 4), (map { { slow => 0 } } 1 .. 4));
my ($read, $answered) = (0, 0);
$SIG{PIPE} = 'IGNORE';
$SIG{TERM} = sub { print "slowly $read bytes, byte by byte $answered answers\n"; exit 0 };

sub begin {
	my ($p) = @_;
	socket $p->{s}, PF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0 or die "socket: $!\n";
	setsockopt $p->{s}, SOL_SOCKET, SO_RCVBUF, 16384 if $p->{slow};
	$p->{at} = 0;
	$p->{text} = $p->{slow} ? "GET $large HTTP/1.1\r\nHost: pest\r\n\r\n" : $head;
	connect $p->{s}, $to or $!{EINPROGRESS} or die "connect: $!\n";
}

sub step {
	my ($p, $turn) = @_;
	begin($p) unless $p->{s};
	if ($p->{at} < length $p->{text}) {
		my $n = send $p->{s}, substr($p->{text}, $p->{at}, $p->{slow} ? 4096 : 1), 0;
		return if !defined $n && ($!{EAGAIN} || $!{ENOTCONN});
		$p->{at} += $n if defined $n;
		delete $p->{s} unless defined $n;
		return;
	}
	return if $p->{slow} && $turn % 10;
	my $r = recv $p->{s}, my $piece, $p->{slow} ? 1024 : 4096, 0;
	return if !defined $r && $!{EAGAIN};
	if (!defined $r || $piece eq '') {
		delete $p->{s};
	} elsif ($p->{slow}) {
		$read += length $piece;
	} else {	# the next one
		$answered++;
		$p->{at} = 0;
	}
}

for (my $turn = 0; ; $turn++) {
	step($_, $turn) for @pest;
	select undef, undef, undef, 0.001;
}
