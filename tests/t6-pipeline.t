#!/bin/bash
# Requests without an end, in a pipeline that is always full: each is answered, in order, however they are cut into
# pieces on their way; the worker gives way to others meanwhile. With custody, which leaves bytes in the socket, and without.
. "${0%/*}/lib.sh"

# pipeline PORT PATH BYTES REQUESTS AT-ONCE [length|chunked]: requests of so many bytes, most of them in a field or in a
# body, at most AT-ONCE under way: "ANSWERS in order"
pipeline() {
	perl -MIO::Socket::INET -MTime::HiRes=time -e 'my ($port, $path, $size, $count, $most, $body) = @ARGV;
		$SIG{PIPE} = "IGNORE";
		my $s = IO::Socket::INET->new("127.0.0.1:$port") or die;
		my ($got, $out, $asked, $answered, $last) = ("", "", 0, 0, time);
		$s->blocking(0);
		my $bits = "";
		vec($bits, fileno $s, 1) = 1;
		while ($answered < $count) {
			while ($asked < $count && $asked - $answered < $most && length $out < 300000) {
				my $head = ($body ? "PUT" : "GET") . " $path/" . $asked++ . " HTTP/1.1\r\nHost: x\r\n";
				my $rest = "x" x ($size - 7 - length $head);
				$out .= $head . (!$body ? "X: $rest\r\n\r\n" : $body eq "length" ? "Content-Length: " . length($rest) . "\r\n\r\n$rest" :
				    sprintf "Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", length $rest, $rest);
			}
			my $n = syswrite $s, $out;
			substr $out, 0, $n, "" if $n;
			my $m = sysread $s, $got, 1 << 20, length $got;
			last if defined $m && !$m || !defined $m && !$!{EAGAIN};
			while ($got =~ /\A(HTTP.*?\r\n\r\n)/s) {
				my $head = $1;
				my ($length) = $head =~ /^content-length: ([0-9]+)\r$/im;
				last if length $got < length($head) + $length;
				my ($number) = substr($got, 0, length($head) + $length, "") =~ m{$path/([0-9]+)};
				next if $number == $answered++;
				print "an answer to $number instead of ", $answered - 1;
				exit;
			}
			$last = time if $m || $n;
			last if time - $last > 8;
			select my $r = $bits, my $w = length $out ? $bits : undef, undef, 1 if !$m && !$n;
		}
		print "$answered in order"' "$@"
}

start_backend B1
for custody in on off; do
	new_port PORT
	start_conf <<-E2
		workers 1
		custody $custody
		pool app {
			check none
			server b1 127.0.0.1:$B1
		}
		listen web {
			bind 127.0.0.1:$PORT
			route path /there redirect 301 http://x{path}
			to app
		}
	E2
	for size in 80 997 5000 13001; do
		is "$(pipeline "$PORT" /from $size $((size < 1000 ? 6000 : 1500)) 3000)" "$((size < 1000 ? 6000 : 1500)) in order" "custody $custody: requests of $size bytes, a pipeline that is full"
		is "$(pipeline "$PORT" /from $size 600 7)" "600 in order" "custody $custody: seven at a time"
	done
	for size in 80 997 5000 40001; do
		for body in length chunked; do
			is "$(pipeline "$PORT" /from $size $((1000000 / (size + 300))) 3000 $body)" "$((1000000 / (size + 300))) in order" "custody $custody: bodies with $size bytes, $body"
		done
	done
	is "$(pipeline "$PORT" /there 80 100000 20000)" "100000 in order" "custody $custody: answered by a route, as many as there are"
	stop_lb
done
finish
