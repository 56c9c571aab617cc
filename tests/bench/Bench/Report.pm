package Bench::Report;
# What was measured, for people and for programs.
use strict;
use warnings;
use POSIX qw(strftime uname);

our @columns = qw(ops secs rate cpu_us switches preempted segments spread uneven bytes errors late p50 p99 p999 max);

sub median { my @v = sort { $a <=> $b } grep { defined && $_ ne '' } @_; @v ? $v[@v / 2] : undef }
sub med { my ($s, $name, $what) = @_; median(map { $_->{$what} } @{$s->{runs}{$name} || []}) }

sub csv {
	my ($file, $lines) = @_;
	open my $f, '>', $file or die "$file: $!\n";
	print $f join(',', qw(scenario program round), @columns), "\n", map { "$_\n" } @$lines;
	close $f or die "$file: $!\n";
}

# What issue and README promise: scenario, figure, against whom, at most which part of theirs.
my @goals = (
	['kept', 'cpu_us', 'the best peer', 0.85], ['oneshot', 'cpu_us', 'the best peer', 0.85], ['tcp', 'cpu_us', 'the best peer', 0.85],
	['body-http', 'cpu_us', 'nginx', 0.40], ['body-http', 'cpu_us', 'haproxy splice', 1],
	['body-tcp', 'cpu_us', 'nginx', 0.35], ['body-tcp', 'cpu_us', 'haproxy splice', 1],
	['memory', 'bytes', '', 200],
);

# Goals of what was measured: { scenario, what, goal, got, ratio, ok }.
sub goals {
	my ($result) = @_;
	my @all;
	for (@goals) {
		my ($key, $what, $against, $limit) = @$_;
		my $s = $result->{$key} or next;
		my $got = med($s, 'lb', $what) // next;
		my %g = (scenario => $key, what => $what, got => $got);
		if ($against eq '') {
			@g{qw(goal limit ok)} = ("at most $limit bytes", $limit, $got <= $limit);
		} else {
			my $theirs = $against eq 'the best peer' ?
			    (sort { $a <=> $b } grep { defined } map { med($s, $_, $what) } grep { !/^(lb|relay)/ } @{$s->{names}})[0] :
			    med($s, $against, $what);
			next unless $theirs;
			$g{ratio} = $got / $theirs;
			# What moves the bytes and does nothing else: nobody gets below the better of them by these system calls.
			my ($floor) = sort { $a <=> $b } grep { defined } map { med($s, $_, $what) } 'relay', 'relay splice';
			$g{floor} = $floor / $theirs if $floor;
			$g{limit} = $limit * $theirs;
			@g{qw(goal ok)} = (($limit == 1 ? 'below ' : sprintf 'at most %.2f of ', $limit) . $against,
			    $limit == 1 ? $g{ratio} < 1 : $g{ratio} <= $limit);
		}
		push @all, \%g;
	}
	return @all;
}

my @order = qw(kept oneshot tcp body-http body-tcp memory idle half-kept near-kept half-oneshot near-oneshot log custody custody-kept together pipeline upload
    servers workers mixed alone expensive fair);
sub ordered { my ($result) = @_; return grep { $result->{$_} && $result->{$_}{runs} } @order }

sub file { open my $f, '<', $_[0] or return '?'; my $line = <$f> // ''; chomp $line; return $line }

sub table {
	my ($file, $result, $versions, $rounds, $seconds) = @_;
	my @uname = uname();
	my $cpus = () = glob '/sys/devices/system/cpu/cpu[0-9]*';
	open my $f, '>', $file or die "$file: $!\n";
	printf $f "loadbalancer %s, nginx %s, HAProxy %s; %s; Linux %s %s, %d processors, TCP %s; load average at the end %s\n",
	    @$versions{qw(lb nginx haproxy)}, strftime('%Y-%m-%d %H:%M', localtime), @uname[2, 4], $cpus, file('/proc/sys/net/ipv4/tcp_congestion_control'),
	    join ' ', (split ' ', file('/proc/loadavg'))[0 .. 2];
	print $f "Medians of $rounds interleaved rounds of $seconds s. cpu: microseconds of the program's processor time per\n",
	    "operation, lowest and highest round in brackets; switches: context switches per operation, given up and taken\n",
	    "away; segments: TCP segments of both sides, acknowledgements included; latencies in microseconds: by the clock\nin half-, near-, mixed, alone, expensive and fair, else of wrk, in a closed loop at saturation; spread: of processor\n",
	    "time over workers or threads, uneven: of connections over processes (standard deviation by mean).\n\n";
	for my $key (ordered($result)) {
		my $s = $result->{$key};
		print $f "$key: $s->{title}\n";
		if ($key eq 'memory') {
			printf $f "  %-18s %8.0f\n", $_, med($s, $_, 'bytes') for @{$s->{names}};
			print $f "\n";
			next;
		}
		printf $f "  %-18s %8s %17s %6s %9s %12s %8s %8s %8s %8s %7s %7s %6s\n", '', 'cpu us', '', 'to lb', 'ops/s', 'switches', 'segments', 'p50',
		    'p99', 'p99.9', 'spread', 'uneven', 'errors';
		my ($suffix) = '';
		for my $name (@{$s->{names}}) {
			($suffix) = $name =~ /( \d+(?:, limited)?)$/;
			my $lb = med($s, 'lb' . ($suffix // ''), 'cpu_us');
			my $cpu = med($s, $name, 'cpu_us');
			my @cpu = sort { $a <=> $b } map { $_->{cpu_us} } @{$s->{runs}{$name}};
			my $errors = 0;
			$errors += $_->{errors} for @{$s->{runs}{$name}};
			printf $f "  %-18s %8.1f %17s %6s %9.0f %12s %8s %8s %8s %8s %7s %7s %6d\n", $name, $cpu, sprintf('(%.1f-%.1f)', @cpu[0, -1]),
			    $lb ? sprintf('%.2f', $cpu / $lb) : '', med($s, $name, 'rate'),
			    sprintf('%.2f+%.2f', med($s, $name, 'switches'), med($s, $name, 'preempted')),
			    defined med($s, $name, 'segments') ? sprintf('%.2f', med($s, $name, 'segments')) : '-',
			    (map { my $v = med($s, $name, $_); defined $v ? sprintf('%.0f', $v) : '-' } qw(p50 p99 p999)),
			    (map { my $v = med($s, $name, $_); defined $v ? sprintf('%.2f', $v) : '' } qw(spread uneven)), $errors;
		}
		print $f "  $_\n" for @{$s->{remarks} || []};
		if (my $calls = $s->{calls}) {
			print $f "  system calls per operation\n";
			for my $name (grep { $calls->{$_} } @{$s->{names}}) {
				my $c = $calls->{$name};
				my $sum = 0;
				$sum += $_ for values %$c;
				printf $f "  %-18s %8.2f  %s\n", $name, $sum, join ', ', map { sprintf '%s %.2f', $_, $c->{$_} }
				    grep { $c->{$_} >= 0.005 } sort { $c->{$b} <=> $c->{$a} } keys %$c;
			}
		}
		print $f "\n";
	}
	my @g = goals($result);
	print $f "goals\n" if @g;
	printf $f "  %-4s %-10s %8.1f %-5s  %-28s %s\n", $_->{ok} ? 'met' : 'NOT', $_->{scenario}, $_->{got},
	    $_->{what} eq 'cpu_us' ? 'us' : 'bytes', $_->{goal}, defined $_->{ratio} ? sprintf('is %.2f', $_->{ratio}) . (defined $_->{floor} ? sprintf ', the bare relay %.2f', $_->{floor} : '') : '' for @g;
	if ($result->{kept} && med($result->{kept}, 'relay', 'cpu_us')) {
		printf $f "  kept connections: %.2f of the bare relay\n", med($result->{kept}, 'lb', 'cpu_us') / med($result->{kept}, 'relay', 'cpu_us');
	}
	close $f or die "$file: $!\n";
	return !grep { !$_->{ok} } @g;
}

# ---- the picture ----

my %colour = (lb => '#1b6ca8', nginx => '#4a9d5b', haproxy => '#c9772b', 'nginx large' => '#8cc79a', 'haproxy splice' => '#e0a868', relay => '#8a8a8a',
	'relay splice' => '#bbbbbb');
my %called = (lb => 'loadbalancer', haproxy => 'HAProxy', 'haproxy splice' => 'HAProxy, splice', 'nginx large' => 'nginx, large buffers',
	relay => 'bare relay', 'relay splice' => 'bare relay, splice');

sub text { my ($t) = @_; $t =~ s/&/&amp;/g; $t =~ s/</&lt;/g; return $t }

my %unit = (bytes => 'bytes per idle kept connection', p99 => 'us, which 99 % of requests stay below',
	cpu_us => 'us of processor time per request');

# Bars of each scenario; the goal is an upright line across loadbalancer's.
sub svg {
	my ($file, $result, $versions) = @_;
	my @goals = goals($result);
	my ($left, $wide, $bar, $y) = (250, 520, 15, 70);
	my $out = '';
	for my $key (ordered($result)) {
		my $s = $result->{$key};
		my $what = $key eq 'memory' ? 'bytes' : $key =~ /^(half|near|mixed|alone|expensive|fair)/ ? 'p99' : 'cpu_us';
		my %v = map { $_ => med($s, $_, $what) // 0 } @{$s->{names}};
		my ($most) = sort { $b <=> $a } values %v;
		next unless $most && $most > 0;
		my $unit = $unit{$what};
		$out .= sprintf qq{<text x="10" y="%d" class="t">%s <tspan class="u">%s</tspan></text>\n}, $y,
		    text($s->{title}), text($unit);
		$y += 7;
		for my $name (@{$s->{names}}) {
			my $w = $v{$name} > 0 ? $v{$name} / $most * $wide : 0;
			my @mine = $name ne 'lb' ? () : grep { $_->{scenario} eq $key && $_->{limit} <= $most } @goals;
			my $text = $left + $w + 5;
			my ($program, $count) = $name =~ /^(.*?)( \d+(?:, limited)?)?$/;
			for (@mine) {	# the figure stands clear of the goal
				my $x = $left + $_->{limit} / $most * $wide;
				$text = $x + 5 if $x > $text - 5 && $x < $text + 35;
			}
			$out .= sprintf qq{<text x="%d" y="%d" class="n">%s</text><rect x="%d" y="%d" width="%.1f" height="%d" fill="%s"/>} .
			    qq{<text x="%.1f" y="%d" class="v">%.*f</text>\n}, $left - 8, $y + $bar - 3, text(($called{$program} // $program) . ($count // '')), $left, $y, $w,
			    $bar - 2, $colour{$program} // '#666', $text, $y + $bar - 3, $v{$name} < 100 ? 1 : 0, $v{$name};
			$out .= sprintf qq{<path d="M%.1f %dv%d" class="%s"><title>goal: %s</title></path>\n},
			    $left + $_->{limit} / $most * $wide, $y - 2, $bar + 2, $_->{ok} ? 'met' : 'not', text($_->{goal}) for @mine;
			$y += $bar;
		}
		$y += 25;
	}
	my $height = $y;
	open my $f, '>', $file or die "$file: $!\n";
	printf $f qq{<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 860 %d" width="860" height="%d" font-family="sans-serif">\n} .
	    qq{<style>.t{font-size:13px;font-weight:bold}.u{font-size:11px;font-weight:normal;fill:#666}.n{font-size:12px;text-anchor:end}.v{font-size:11px;fill:#333}} .
	    qq{.met{stroke:#0a0;stroke-width:2}.not{stroke:#d00;stroke-width:2}</style>\n<rect width="860" height="%d" fill="#fff"/>\n} .
	    qq{<text x="10" y="25" font-size="16" font-weight="bold">What a balancer costs: shorter is better</text>\n} .
	    qq{<text x="10" y="43" class="u">loadbalancer %s, nginx %s, HAProxy %s, %s; green and red lines: goals met and missed</text>\n%s</svg>\n},
	    $height, $height, $height, @$versions{qw(lb nginx haproxy)}, strftime('%Y-%m-%d', localtime), $out;
	close $f or die "$file: $!\n";
}

1;
