package Bench::Load;
# Load on a program, and what it cost there.
use strict;
use warnings;
use Exporter 'import';
use IO::Handle;
use IPC::Open2;
use POSIX ();
use Bench::Proc qw(run tree cpu_ns switches segments pss_bytes thread_cpu held_by note spawn stop now pause);
our @EXPORT_OK = qw(setup wrk open_loop downloads pests hold release syscalls uneven);

our ($open, $wrk, $strace, $here, $dir);
my $threads = 1;	# of wrk

# setup(PROGRAM open, wrk, strace or undef, DIR of scripts, DIR)
sub setup {
	($open, $wrk, $strace, $here, $dir) = @_;
	my $cpus = () = glob '/sys/devices/system/cpu/cpu[0-9]*';
	$threads = $cpus >= 16 ? 4 : $cpus >= 8 ? 2 : 1;
}

# Runs CODE, which returns figures with at least ops; adds what the program spent meanwhile.
sub charged {
	my ($p, $code) = @_;
	my @pids = tree($p->{pid});
	my ($cpu, @switches) = (cpu_ns(@pids), switches(@pids));
	my $threads = thread_cpu(@pids);
	my $segments = segments();
	my $r = eval { $code->() } or die "$p->{name}: $@" . last_words($p->{log}) . "\n";
	$segments = segments() - $segments;
	my $spent = cpu_ns(@pids) - $cpu;
	my @after = switches(@pids);
	my $now = thread_cpu(@pids);
	my $ops = $r->{ops} || 1;
	$r->{cpu_us} = $spent / 1e3 / $ops;
	$r->{switches} = ($after[0] - $switches[0]) / $ops;
	$r->{preempted} = ($after[1] - $switches[1]) / $ops;
	$r->{segments} = $segments / $ops if $ENV{BENCH_NETWORK};
	$r->{rate} = $r->{ops} / $r->{secs} if $r->{secs};
	# How unevenly the work lay on those that did any of it: standard deviation by mean.
	my @share = sort { $b <=> $a } grep { $_ >= 3 } map { $now->{$_} - ($threads->{$_} // 0) } keys %$now;
	if (@share > 1) {
		my ($mean, $var) = (0, 0);
		$mean += $_ / @share for @share;
		$var += ($_ - $mean) ** 2 / @share for @share;
		$r->{spread} = sqrt($var) / $mean;
	}
	return $r;
}

sub last_words {
	open my $f, '<', $_[0] or return '';
	my @lines = <$f>;
	return @lines ? "its log ends with: $lines[-1]" : 'its log is empty';
}

sub figures {
	my ($text) = @_;
	my ($line) = $text =~ /^(ops=.*)$/m or die "no figures in: $text\n";
	return { map { split /=/ } split ' ', $line };
}

# wrk(PROGRAM, path, conns, secs, depth, body, close): closed loop, at saturation.
sub wrk {
	my ($p, %o) = @_;
	my %env = (WRK_DEPTH => $o{depth} || 1, WRK_BODY => $o{body} || 0);
	my @command = ($wrk, "-t$threads", '-c', $o{conns}, '-d', ($o{secs} || 1) . 's', '--timeout', '10s', '-s', "$here/wrk.lua");
	push @command, '-H', 'Connection: close' if $o{close};
	push @command, "http://127.0.0.1:$p->{port}$o{path}";
	return charged($p, sub { figures(run(\%env, @command)) });
}

# open_loop(PROGRAM, path, conns, secs, rate, poisson, close): by the clock.
sub open_loop {
	my ($p, %o) = @_;
	my @command = ($open, '-c', $o{conns}, '-d', $o{secs} || 1);
	push @command, '-r', int $o{rate} if $o{rate};
	push @command, '-p' if $o{poisson};
	push @command, '-1' if $o{close};
	return charged($p, sub { figures(run({}, @command, '127.0.0.1', $p->{port}, $o{path})) });
}

# Downloads of 10 MiB, one after the other on each of N connections, until stop() of what is returned.
sub downloads {
	my ($p, $n) = @_;
	return spawn('downloads', "$dir/downloads.log", $wrk, '-t1', "-c$n", '-d1h', '--timeout', '1h', "http://127.0.0.1:$p->{port}/10m");
}

# Clients that are a trial: slow readers, and heads that come a byte at a time. Likewise.
sub pests {
	my ($p) = @_;
	return spawn('pests', "$dir/pests.log", $^X, "$here/pests.pl", $p->{port});
}

# How unevenly a program's processes hold the connections to it: standard deviation by mean. Undef: one process, or threads.
sub uneven {
	my ($p) = @_;
	my ($first, @pids) = tree($p->{pid});
	my @held = grep { $_ } held_by($p->{port}, @pids);
	return undef if @held < 2;
	my ($mean, $var) = (0, 0);
	$mean += $_ / @held for @held;
	$var += ($_ - $mean) ** 2 / @held for @held;
	return sqrt($var) / $mean;
}

# Holds N connections that have been used once. Returns a handle for release(), and how many there are.
sub hold {
	my ($p, $n) = @_;
	my $pid = open2(my $out, my $in, $open, '-i', '-c', $n, '127.0.0.1', $p->{port}, '/');
	my $line = <$out> // '';
	my ($held) = $line =~ /^ready (\d+)/ or do { waitpid $pid, 0; die "idle connections: $line\n" };
	return ({ pid => $pid, in => $in, out => $out }, $held);
}

sub release {
	my ($h) = @_;
	close $h->{in};
	close $h->{out};
	waitpid $h->{pid}, 0;
}

# System calls per operation, by name, from a run of its own: { name => count per operation }.
sub syscalls {
	my ($p, %o) = @_;
	return undef unless $strace;
	my @pids = tree($p->{pid});
	my $out = "$dir/strace.$p->{id}";
	my $tracer = spawn('strace', "$out.log", $strace, '-c', '-f', '-U', 'name,calls', '-o', $out, map { ('-p', $_) } @pids);
	my $traced = 0;
	for (my $end = now() + 5; now() < $end && !$traced; pause(0.02)) {
		$traced = 1;
		for (@pids) {
			open my $f, '<', "/proc/$_/status" or next;
			$traced = 0 if grep { /^TracerPid:\s*0$/ } <$f>;
		}
	}
	my $r = $traced ? wrk($p, %o) : undef;
	stop($tracer, 'INT');
	return undef unless $traced && $r->{ops};
	my %calls;
	open my $f, '<', $out or return undef;
	while (<$f>) {
		$calls{$1} = $2 / $r->{ops} if /^\s*([a-z_]\w*)\s+(\d+)\s*$/ && $1 ne 'total';
	}
	return \%calls;
}

1;
