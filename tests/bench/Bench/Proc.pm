package Bench::Proc;
# Processes: starting and ending them, and what the kernel says of them.
use strict;
use warnings;
use Exporter 'import';
use POSIX ();
use Socket;
our @EXPORT_OK = qw(spawn stop stop_all run tree cpu_ns switches segments pss_bytes thread_cpu held_by free_port wait_port note now pause);

my $clock_gettime = (POSIX::uname())[4] eq 'x86_64' ? 228 : 113;	# the number of the call
my %mine;	# pid => what it is; only these are ever signalled
my $last_port = 10000 + int rand 1000;

# Seconds. Without Time::HiRes, so that what every Debian has of perl (perl-base) will do.
sub now { my $ts = "\0" x 16; syscall($clock_gettime, 1, $ts); my ($s, $ns) = unpack 'qq', $ts; return $s + $ns / 1e9 }
sub pause { select undef, undef, undef, $_[0] }

sub note { print STDERR @_; STDERR->flush }

# spawn(NAME, LOG, COMMAND...): in the background, its output in the file LOG. Returns its pid.
sub spawn {
	my ($name, $log, @command) = @_;
	my $pid = fork // die "fork: $!\n";
	if ($pid == 0) {
		open STDIN, '<', '/dev/null';
		open STDOUT, '>>', $log or POSIX::_exit(126);
		open STDERR, '>&', \*STDOUT;
		{ no warnings; exec { $command[0] } @command; }
		print "$command[0]: $!\n";
		POSIX::_exit(127);
	}
	$mine{$pid} = $name;
	return $pid;
}


sub stop {
	my ($pid, $signal) = @_;
	return unless delete $mine{$pid};
	kill $signal // 'TERM', $pid;
	for (my $end = now() + 3; now() < $end; pause(0.01)) {
		return if waitpid($pid, POSIX::WNOHANG()) != 0;
	}
	kill 'KILL', tree($pid);
	waitpid $pid, 0;
}

sub stop_all { stop($_) for sort keys %mine }

# run({ENV}, COMMAND...): to its end; returns what it printed on both channels, or dies.
sub run {
	my ($env, @command) = @_;
	my $pid = open(my $out, '-|') // die "fork: $!\n";
	if ($pid == 0) {
		@ENV{keys %$env} = values %$env;
		open STDERR, '>&', \*STDOUT;
		{ no warnings; exec { $command[0] } @command; }
		POSIX::_exit(127);
	}
	local $/;
	my $text = <$out>;
	close $out or die "@command: status $?: $text\n";
	return $text;
}

sub slurp {
	open my $f, '<', $_[0] or return '';
	local $/;
	return scalar(<$f>) // '';
}

# A process and all below it.
sub tree {
	my @all = @_;
	for (my $i = 0; $i < @all; $i++) {
		push @all, split ' ', slurp($_) for glob "/proc/$all[$i]/task/*/children";
	}
	return @all;
}

# Nanoseconds that the scheduler has charged to these processes, all threads, those that ended too:
# what schedstat prints for each thread, which not every kernel has. The clock of another process is a
# documented thing (clock_getcpuclockid(3)).
sub cpu_ns {
	my $sum = 0;
	for my $pid (@_) {
		my $ts = "\0" x 16;
		next if syscall($clock_gettime, (-$pid - 1) * 8 + 2, $ts) != 0;	# gone
		my ($s, $ns) = unpack 'qq', $ts;
		$sum += $s * 1e9 + $ns;
	}
	return $sum;
}

# Of each thread, in clock ticks of the kernel (10 ms): for how evenly work is spread, not for its price.
sub thread_cpu {
	my %cpu;
	for my $pid (@_) {
		for (glob "/proc/$pid/task/*/stat") {
			my ($rest) = slurp($_) =~ /.*\) (.*)/s or next;
			my @f = split ' ', $rest;
			$cpu{$_} = $f[11] + $f[12];
		}
	}
	return \%cpu;
}

# Voluntary and involuntary context switches.
sub switches {
	my @sum = (0, 0);
	for my $pid (@_) {
		for (glob "/proc/$pid/task/*/status") {
			my $status = slurp($_);
			$sum[0] += $1 if $status =~ /^voluntary_ctxt_switches:\s*(\d+)/m;
			$sum[1] += $1 if $status =~ /^nonvoluntary_ctxt_switches:\s*(\d+)/m;
		}
	}
	return @sum;
}

# TCP segments that this network has sent, both sides of all connections: loopback has no others than ours
# when it is a network of our own.
sub segments {
	my ($names, $values) = grep { /^Tcp:/ } split /\n/, slurp('/proc/net/snmp');
	my %tcp;
	@tcp{split ' ', $names} = split ' ', $values;
	return $tcp{OutSegs};
}

# How many connections to PORT each of these processes holds.
sub held_by {
	my ($port, @pids) = @_;
	my $hex = sprintf '%04X', $port;
	my %inode = map { /^ *\d+: [0-9A-F]+:$hex \S+ 01(?: +\S+){5} +(\d+)/ ? ($1 => 1) : () }
	    split /\n/, slurp('/proc/net/tcp') . slurp('/proc/net/tcp6');
	return map { scalar grep { (readlink($_) // '') =~ /^socket:\[(\d+)\]/ && $inode{$1} } glob "/proc/$_/fd/*" } @pids;
}

# Proportional share: what several processes map counts once in all.
sub pss_bytes {
	my $sum = 0;
	for my $pid (@_) {
		$sum += $1 * 1024 if slurp("/proc/$pid/smaps_rollup") =~ /^Pss:\s*(\d+)/m;
	}
	return $sum;
}

# Below what the kernel gives to outgoing connections.
sub free_port {
	for (1 .. 2000) {
		$last_port = $last_port >= 11999 ? 10000 : $last_port + 1;
		socket my $s, PF_INET, SOCK_STREAM, 0 or die "socket: $!\n";
		setsockopt $s, SOL_SOCKET, SO_REUSEADDR, 1;
		return $last_port if bind $s, sockaddr_in($last_port, INADDR_ANY);
	}
	die "no port is free\n";
}

# Until somebody listens there, or the process is gone.
sub wait_port {
	my ($port, $pid, $log) = @_;
	my $hex = sprintf ':%04X ', $port;
	my ($up, $gone);
	for (my $end = now() + 10; now() < $end && !$up && !$gone; pause(0.01)) {
		$up = (slurp('/proc/net/tcp') . slurp('/proc/net/tcp6')) =~ /^ *\d+: [0-9A-F]+$hex\S+ 0A /m;
		$gone = waitpid($pid, POSIX::WNOHANG()) != 0;	# even if somebody else listens there
	}
	delete $mine{$pid} if $gone;
	return if $up && !$gone;
	my ($why) = grep { /\S/ } reverse split /\n/, slurp($log);
	die "nobody listens on $port" . ($why ? "; the log ends with: $why\n" : "\n");
}

1;
