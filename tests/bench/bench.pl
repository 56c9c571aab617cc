#!/usr/bin/perl
# The balancer beside nginx, HAProxy and a bare relay, all on this machine and in the same minutes.
#
#	bench.pl LOADBALANCER BENCH_PROGRAMS RESULTS	(make bench does it)
#
# Each scenario starts its programs, then goes round: each of them in turn under the same load, ROUNDS
# times (9; with 5 the median of mode tcp wanders by 0.08), SECONDS_EACH (1); what is reported is the median. RESULTS/bench.txt is the table,
# bench.csv every single run, bench.svg the picture. SCENARIOS='kept tcp' does some only, SCENARIOS=main those
# that goals are set for, and latency (10 minutes instead of 20), SCENARIOS=list names them. It ends with 1
# when a goal is missed, 2 when it could not run.
#
# By the environment: NGINX, HAPROXY, WRK, STRACE are programs in place of the installed ones, NGINX_STREAM is
# nginx's module for mode tcp (ngx_stream_module.so), RESULTS a folder in place of the build's. Where the first
# three are given nothing need be installed, so unpacked packages will do, on a machine without network too:
#	dpkg -x wrk.deb peers; ...; make bench SCENARIOS=main RESULTS=/tmp/results WRK=$PWD/peers/usr/bin/wrk \
#	    NGINX=$PWD/peers/usr/sbin/nginx NGINX_STREAM=$PWD/peers/usr/lib/nginx/modules/ngx_stream_module.so ...
# Libraries beside them are found by LD_LIBRARY_PATH, or the programs named are scripts that exec them.
# Nor is root needed; but as root it has a network of its own, where it counts segments and chooses CONGESTION
# (cubic or reno), and 10,000 connections need a limit of open files above that.
#
# Processor time is the scheduler's own accounting of all processes of a program, in the user's and in the
# kernel's name, so it says what the work costs, whoever else is at work on the machine. Rates and
# latencies do depend on that: do not run it beside other work. For root it runs in a network of its own.
use strict;
use warnings;
use Cwd 'abs_path';
use File::Temp 'tempdir';
use Socket;
my $here;
BEGIN { ($here) = abs_path($0) =~ m{(.*)/} }
use lib $here;
use Bench::Proc qw(stop_all tree pss_bytes note stop now pause);
use Bench::Programs qw(which backends start end versions nofile);
use Bench::Load qw(wrk open_loop downloads pests hold release syscalls uneven);
use Bench::Report;

my ($lb, $bin, $results) = @ARGV;
die "usage: bench.pl LOADBALANCER BENCH_PROGRAMS RESULTS\n" unless $results;
our $rounds = $ENV{ROUNDS} || 9;
my $seconds = $ENV{SECONDS_EACH} || 1;
my $idle = 10000;

my @balancers = (['lb'], ['nginx'], ['haproxy']);
my @bulk = (@balancers, ['nginx', name => 'nginx large', buffers => 1], ['haproxy', name => 'haproxy splice', splice => 1], ['relay'],
	['relay', name => 'relay splice', splice => 1]);
my %small = (path => '/', conns => 64);
my %large = (path => '/1m', conns => 8);

# In order: name, title, programs, options common to them, what is done to each in a round; or a sub of its own.
my @scenarios = (
	{ key => 'kept', title => 'small GET, kept connections', programs => [@balancers, ['relay']], load => \%small, strace => 1 },
	{ key => 'oneshot', title => 'one connection per request', programs => [@balancers, ['relay', shut => 1]],
		load => { %small, close => 1 }, strace => 1 },
	{ key => 'tcp', title => 'small GET through mode tcp', programs => [@balancers, ['relay']],
		options => { mode => 'tcp' }, load => \%small, strace => 1 },
	{ key => 'body-http', title => '1 MiB bodies, http', programs => \@bulk, load => \%large, strace => 1 },
	{ key => 'body-tcp', title => '1 MiB bodies, tcp', programs => \@bulk, options => { mode => 'tcp' },
		load => \%large, strace => 1 },
	{ key => 'idle', title => 'small GET beside 10,000 idle ones', programs => [@balancers, ['relay']], run => \&idle },
	{ key => 'latency', title => 'latency by the clock', programs => [@balancers, ['relay']], run => \&latency },
	{ key => 'log', title => 'small GET, kept, access log on', programs => \@balancers, options => { log => 1 }, load => \%small },
	{ key => 'custody', title => 'one connection per request, without and with copies kept against crashes', load => { %small, close => 1 },
		programs => [['lb', name => 'lb no custody', custody => 'off'], ['lb', name => 'lb custody', custody => 'on']] },
	{ key => 'custody-kept', title => 'small GET, kept connections, without and with copies kept against crashes', load => \%small,
		programs => [['lb', name => 'lb no custody', custody => 'off'], ['lb', name => 'lb custody', custody => 'on']] },
	{ key => 'together', title => 'small GET through mode tcp, by what is scheduled and sent how', options => { mode => 'tcp' }, load => \%small,
		programs => [['lb', name => 'lb neither', scheduling => 'normal', ring => 'off'], ['lb', name => 'lb together', scheduling => 'normal'],
			['lb', name => 'lb batch', ring => 'off'], ['lb', name => 'lb both']] },
	{ key => 'pipeline', title => 'small GET, 8 in a pipeline', programs => \@balancers, load => { %small, depth => 8 } },
	{ key => 'upload', title => '1 MiB uploads, http', programs => \@balancers,
		load => { path => '/up', conns => 8, body => 1 << 20 } },
	{ key => 'servers', title => 'servers in the pool', run => \&servers },
	{ key => 'workers', title => 'workers or threads', run => \&workers },
	{ key => 'mixed', title => 'short requests beside 10 MiB downloads', programs => \@balancers, run => \&mixed },
	{ key => 'expensive', title => 'small requests beside downloads, slow readers, heads byte by byte', run => \&expensive },
	{ key => 'fair', title => 'one connection per request beside 8 downloads and 200 idle ones', programs => \@balancers, run => \&fair },
);

my (%result, @lines);
my $begun = now();

sub say_progress { note(sprintf "%4ds  %s\n", now() - $begun, $_[0]) }

sub median { my @v = sort { $a <=> $b } grep { defined } @_; @v ? $v[@v / 2] : undef }

sub record {
	my ($scenario, $name, $round, $r) = @_;
	push @{$result{$scenario}{runs}{$name}}, $r;
	push @{$result{$scenario}{names}}, $name if @{$result{$scenario}{runs}{$name}} == 1;
	push @lines, join ',', $scenario, $name, $round, map { $r->{$_} // '' } @Bench::Report::columns;
}

# Starts the programs of a scenario. One that cannot be had is named and left out.
sub start_all {
	my ($s, %more) = @_;
	my @p;
	for (@{$s->{programs}}) {
		my ($kind, %o) = @$_;
		my $p = eval { start($kind, %{$s->{options} || {}}, %o, %more) };
		if (!$p) {
			note("$s->{key}: without $kind: $@");
			push @{$result{$s->{key}}{remarks}}, 'without ' . ($o{name} // $kind) . ': ' . substr((split /\n/, $@)[0], 0, 220);
			next;
		}
		push @p, $p;
	}
	return @p;
}

# Interleaved rounds of CODE, which returns figures; a round before them warms up and does not count.
sub rounds {
	my ($key, $programs, $code, $suffix) = @_;
	for my $round (0 .. $rounds) {
		my @told;
		for my $p (@$programs) {
			my $r = $code->($p);
			next if $round == 0;
			record($key, $p->{name} . ($suffix // ''), $round, $r);
			push @told, sprintf '%s %.1f us', $p->{name}, $r->{cpu_us};
		}
		say_progress("$key" . ($suffix // '') . " $round/$rounds: " . join ', ', @told) if $round;
	}
}

sub plain {
	my ($s) = @_;
	my @p = start_all($s);
	rounds($s->{key}, \@p, sub { wrk($_[0], %{$s->{load}}, secs => $seconds) });
	if ($s->{strace}) {
		for my $p (@p) {
			my $calls = eval { syscalls($p, %{$s->{load}}, secs => 1) };
			$result{$s->{key}}{calls}{$p->{name}} = $calls if $calls;
		}
	}
	end(@p);
}

# What a connection costs that does nothing, and what others cost beside many of those.
sub idle {
	my ($s) = @_;
	my $n = nofile() - 1000 < $idle ? nofile() - 1000 : $idle;
	my @p = start_all($s);
	my @held;
	for my $p (@p) {
		wrk($p, %small, conns => 128);	# what a burst leaves behind is there before
		my $before = pss_bytes(tree($p->{pid}));
		my ($handle, $held) = hold($p, $n);
		pause(4);	# spare buffers have gone back
		my $bytes = (pss_bytes(tree($p->{pid})) - $before) / $held;
		push @held, $handle;
		record('memory', $p->{name}, 1, { ops => $held, bytes => $bytes });
		say_progress(sprintf 'idle: %s %.0f bytes for each of %d connections', $p->{name}, $bytes, $held);
	}
	rounds('idle', \@p, sub { wrk($_[0], %small, conns => 32, secs => $seconds) });
	release($_) for @held;
	end(@p);
}

# The same rates for all: half of what the slowest balancer can do, and nine tenths of it.
sub latency {
	my ($s) = @_;
	for my $close (0, 1) {
		local $s->{programs} = [@balancers, ['relay', shut => $close]];
		my @p = start_all($s);
		my $most;
		for my $p (@p) {
			open_loop($p, %small, close => $close);
			my $r = open_loop($p, %small, close => $close);
			$most = $r->{rate} if $p->{kind} ne 'relay' && (!$most || $r->{rate} < $most);
		}
		for (['half', 0.5], ['near', 0.9]) {
			my ($name, $part) = @$_;
			my $key = "$name-" . ($close ? 'oneshot' : 'kept');
			$result{$key}{title} = sprintf '%s, %d/s at random, %d %% of what the slowest can do',
			    $close ? 'one connection per request' : 'small GET, kept', $most * $part, $part * 100;
			rounds($key, \@p, sub { open_loop($_[0], %small, conns => 512, close => $close, rate => $most * $part,
				poisson => 1, secs => $seconds) });
		}
		end(@p);
	}
}

sub servers {
	# The last ones with a limit for each, which is not reached.
	for ([3], [100], [1000], [1000, 200]) {
		my ($n, $limit) = @$_;
		my @p = start_all({ key => 'servers', programs => \@balancers, options => { servers => $n, limit => $limit } });
		pause(1) if $n > 3;	# the first round of checks
		rounds('servers', \@p, sub { wrk($_[0], %small, secs => $seconds) }, $limit ? " $n, limited" : " $n");
		end(@p);
	}
}

sub workers {
	for my $n (1, 2, 4, 8, 16) {
		my @p = start_all({ key => 'workers', programs => \@balancers, options => { workers => $n } });
		local $rounds = ($rounds + 1) / 2 < 3 ? $rounds : 3;
		rounds('workers', \@p, sub { wrk($_[0], %small, secs => $seconds) }, " $n");
		end(@p);
	}
}

sub mixed {
	my ($s) = @_;
	my @p = start_all($s);
	rounds('mixed', \@p, sub {
		my ($p) = @_;
		my $bulk = downloads($p, 4);
		pause(0.2);
		my $r = open_loop($p, path => '/', conns => 256, rate => 2000, poisson => 1, secs => $seconds);
		stop($bulk);
		return $r;
	});
	end(@p);
}

# What small requests see of others in the same worker that are a trial: downloads without end, slow readers, heads
# that come a byte at a time. One worker each, first without and then with them.
sub expensive {
	my ($s) = @_;
	my @p = start_all({ key => 'expensive', programs => \@balancers, options => { workers => 1 } });
	my $small = sub { open_loop($_[0], path => '/', conns => 64, rate => 1000, poisson => 1, secs => $seconds) };
	$result{alone}{title} = 'small requests, one worker, nothing else';
	rounds('alone', \@p, $small);
	rounds('expensive', \@p, sub {
		my ($p) = @_;
		my @others = (downloads($p, 2), pests($p));
		pause(0.3);
		my $r = $small->($p);
		stop($_) for @others;
		return $r;
	});
	end(@p);
}

# Four workers, heavy and light connections: who holds how many, and what short ones see.
sub fair {
	my ($s) = @_;
	my @p = start_all($s, workers => 4);
	rounds('fair', \@p, sub {
		my ($p) = @_;
		my ($held) = hold($p, 200);
		my $bulk = downloads($p, 8);
		pause(0.3);
		my $uneven = uneven($p);
		my $r = open_loop($p, %small, close => 1, rate => 1000, poisson => 1, secs => $seconds);
		stop($bulk);
		release($held);
		return { %$r, uneven => $uneven };
	});
	end(@p);
}

# Where root may have it, a network of our own: loopback alone, its ports and counters nobody else's.
sub own_network {
	if (!$ENV{BENCH_NETWORK} && $> == 0 && system('unshare -n true 2>/dev/null') == 0) {
		local $ENV{BENCH_NETWORK} = 1;
		exec 'unshare', '-n', $^X, $0, $lb, $bin, $results or die "unshare: $!\n";
	}
	return unless $ENV{BENCH_NETWORK};
	socket my $s, PF_INET, SOCK_DGRAM, 0 or die "socket: $!\n";
	my $lo = pack 'a16 s x22', 'lo', 0x1;	# struct ifreq: up
	ioctl $s, 0x8914, $lo or die "loopback: $!\n";	# SIOCSIFFLAGS
	for my $name (split ' ', $ENV{CONGESTION} // 'cubic reno') {
		open my $f, '>', '/proc/sys/net/ipv4/tcp_congestion_control' or next;
		last if syswrite $f, $name;
	}
}

# ---- here it begins ----

if (($ENV{SCENARIOS} // '') eq 'list') {
	printf "%-12s %s\n", $_->{key}, $_->{title} for @scenarios;
	exit 0;
}
$_ = abs_path($_) for $lb, $bin;
own_network();
mkdir $results;
my $tmp = tempdir('lbbench.XXXXXX', TMPDIR => 1, CLEANUP => 1);
chmod 0755, $tmp;
my $main = $$;
END { if ($main && $$ == $main) { my $rc = $?; stop_all(); $? = $rc; } }
$SIG{INT} = $SIG{TERM} = sub { exit 130 };
$SIG{__DIE__} = sub { die @_ if $^S; note(@_); exit 2 };
Bench::Programs::setup($tmp, $lb, "$bin/relay");
Bench::Load::setup("$bin/open", $ENV{WRK} || which('wrk'), $ENV{STRACE} || eval { which('strace') }, $here, $tmp);
backends();
my @main = qw(kept oneshot tcp body-http body-tcp idle latency);
my %wanted = map { $_ => 1 } map { $_ eq 'main' ? @main : $_ } split ' ', $ENV{SCENARIOS} || join ' ', map { $_->{key} } @scenarios;
my %known = map { $_->{key} => 1 } @scenarios;
$known{$_} or die "no scenario is called $_; there are: @{[map { $_->{key} } @scenarios]}\n" for keys %wanted;
for my $s (grep { $wanted{$_->{key}} } @scenarios) {
	$result{$s->{key}}{title} //= $s->{title};
	say_progress("$s->{key}: $s->{title}");
	($s->{run} || \&plain)->($s);
}
$result{memory}{title} = 'bytes for each idle kept connection' if $result{memory};
my %versions = versions();
Bench::Report::csv("$results/bench.csv", \@lines);
my $ok = Bench::Report::table("$results/bench.txt", \%result, \%versions, $rounds, $seconds);
Bench::Report::svg("$results/bench.svg", \%result, \%versions);
open my $f, '<', "$results/bench.txt" or die "$results/bench.txt: $!\n";
print while <$f>;
note("results: $results/bench.txt, bench.csv, bench.svg\n");
exit($ok ? 0 : 1);
