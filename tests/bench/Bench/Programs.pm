package Bench::Programs;
# What is compared, each configured as well as we know: connections to servers kept and shared, no access
# log, the client's address appended to X-Forwarded-For, health checks where the program has them,
# least connections everywhere.
use strict;
use warnings;
use Exporter 'import';
use Bench::Proc qw(spawn stop tree run free_port wait_port note);
our @EXPORT_OK = qw(setup which backends start end versions nofile);

our ($dir, %path, $nofile);
my ($stream_module, @backend, $backend_pid);
my ($backends, $nginx_user, $haproxy_user) = (3, '', '');	# processes; lines of configurations, for root only

sub nofile { $nofile }

# setup(DIR, LB, RELAY): finds the programs.
sub setup {
	my ($tmp, $lb, $relay) = @_;
	$dir = $tmp;
	%path = (lb => $lb, relay => $relay, nginx => $ENV{NGINX} || which('nginx'), haproxy => $ENV{HAPROXY} || which('haproxy'));
	my $cpus = () = glob '/sys/devices/system/cpu/cpu[0-9]*';
	$backends = $cpus >= 16 ? 6 : 3;
	if ($> == 0) {
		my $group = getgrgid((getpwnam('nobody'))[3]);
		($nginx_user, $haproxy_user) = ("user nobody $group;\n", "\tuser nobody\n\tgroup $group\n");
	}
	$nofile = `sh -c 'ulimit -Hn'`;
	chomp $nofile;
	$nofile = 65536 if $nofile eq 'unlimited' || $nofile > 65536;
	# The backends are always the same nginx; a newer one named by the environment may be built without modules.
	$path{backend} = eval { which('nginx') } || $path{nginx};
	$stream_module = '';
	if (`$path{nginx} -V 2>&1` !~ /--with-stream(\s|$)/) {
		my ($so) = grep { -e } $ENV{NGINX_STREAM} || '/usr/lib/nginx/modules/ngx_stream_module.so';
		$stream_module = $so ? "load_module $so;\n" : undef;
	}
}

sub which {
	for (split(/:/, $ENV{PATH}), '/usr/sbin', '/sbin') {
		return "$_/$_[0]" if -x "$_/$_[0]";
	}
	die "$_[0] is not installed\n";
}

sub versions {
	my ($nginx) = `$path{nginx} -v 2>&1` =~ m{nginx/(\S+)};
	my ($haproxy) = `$path{haproxy} -v` =~ /version (\S+)/;
	my ($lb) = `$path{lb} -V 2>&1` =~ /(\d+\.\d+\S*)/;
	return (lb => $lb // '?', nginx => $nginx // '?', haproxy => $haproxy // '?');
}

sub put {
	my ($file, $text) = @_;
	open my $f, '>', $file or die "$file: $!\n";
	print $f $text;
	close $f or die "$file: $!\n";
	return $file;
}

# Three servers of one nginx; they listen on all addresses of loopback, so that 127.0.0.0/8
# makes as many servers of them as are wanted.
sub backends {
	@backend = map { free_port() } 1 .. 3;
	my $small = 'x' x 128;
	my $servers = '';
	for my $port (@backend) {
		$servers .= <<END;
	server {
		listen $port backlog=4096;
		location = / { return 200 "$small"; }
		location = /healthcheck { return 200 "0\\n0\\n"; }
		# Says that it will close, and does not: for the bare relay, which cannot say so itself.
		location = /last { add_header Connection close; return 200 "$small"; }
		# Reads what is uploaded to its end before it answers.
		location = /up {
			client_max_body_size 0;
			client_body_buffer_size 4m;
			proxy_pass_request_body off;
			proxy_set_header Content-Length "";
			proxy_pass http://unix:$dir/sink.sock:/;
		}
		location / { root $dir/www; }
	}
END
	}
	mkdir "$dir/www";
	put("$dir/www/1m", 'x' x (1 << 20));
	put("$dir/www/10m", 'x' x (10 << 20));
	put("$dir/backend.conf", <<END);
${nginx_user}worker_processes $backends;
worker_rlimit_nofile $nofile;
daemon off;
pid $dir/backend.pid;
error_log $dir/backend.log error;
events { worker_connections 16384; }
http {
	access_log off;
	default_type text/plain;
	sendfile on;
	tcp_nopush on;
	open_file_cache max=10 inactive=1h;
	keepalive_requests 1000000000;
	keepalive_timeout 1h;
	client_body_temp_path $dir/backend-body;
	proxy_temp_path $dir/backend-proxy;
	fastcgi_temp_path $dir/backend-1; uwsgi_temp_path $dir/backend-2; scgi_temp_path $dir/backend-3;
	server { listen unix:$dir/sink.sock; location / { return 200 "ok"; } }
$servers}
END
	$backend_pid = spawn('backends', "$dir/backend.out", $path{backend}, '-p', $dir, '-c', "$dir/backend.conf");
	wait_port($_, $backend_pid, "$dir/backend.out") for @backend;
	return @backend;
}

# N addresses, of the three servers in turn.
sub addresses {
	my ($n) = @_;
	return map { sprintf '127.%d.%d.%d:%d', $n <= 3 ? (0, 0, 1) : (1, $_ / 250, $_ % 250 + 1), $backend[$_ % 3] } 0 .. $n - 1;
}

my $count = 0;

# start(KIND, OPTION => VALUE...): KIND is lb, nginx, haproxy, relay. Options: mode (http, tcp), servers
# (how many), limit (requests at a time for each), workers, custody, scheduling and ring (lb: see loadbalancer.conf(5); ring is io-uring), splice, buffers (nginx: 64 KiB each), log (access log to a file), shut (relay: one answer a connection).
# Returns { kind, name, pid, port }.
sub start {
	my ($kind, %o) = @_;
	my %p = (kind => $kind, name => $o{name} // $kind, port => free_port(), id => $count++);
	$o{mode} ||= 'http';
	$o{workers} ||= 2;
	$o{servers} ||= 3;
	my $base = "$dir/$kind.$p{id}";
	$p{log} = "$base.log";
	my @command = __PACKAGE__->can("command_$kind")->(\%p, \%o, $base, addresses($o{servers}));
	$p{pid} = spawn($p{name}, $p{log}, @command);
	wait_port($p{port}, $p{pid}, $p{log});
	return \%p;
}

sub end { stop($_->{pid}, $_->{kind} eq 'lb' ? 'INT' : 'TERM') for @_ }

sub command_lb {
	my ($p, $o, $base, @address) = @_;
	my $limit = $o->{limit} ? " maxconn $o->{limit}" : '';
	my $servers = join '', map { "\tserver s$_ $address[$_]$limit\n" } 0 .. $#address;
	my $log = $o->{log} ? "\taccess-log $base.access\n" : '';
	my $more = join '', map { $o->{$_->[0]} ? "$_->[1] $o->{$_->[0]}\n" : () } ['custody', 'custody'], ['scheduling', 'scheduling'], ['ring', 'io-uring'];
	put("$base.conf", <<END);
workers $o->{workers}
${more}pool app {
	balance least-connections
	check tcp
$servers}
listen web {
	bind 0.0.0.0:$p->{port}
	mode $o->{mode}
	to app
$log}
END
	return ($path{lb}, '-c', "$base.conf");
}

sub command_nginx {
	my ($p, $o, $base, @address) = @_;
	my $limit = $o->{limit} ? " max_conns=$o->{limit}" : '';
	my $servers = join '', map { "\t\tserver $_$limit;\n" } @address;
	my $log = $o->{log} ? "$base.access combined buffer=64k flush=1s" : 'off';
	my $head = <<END;
${nginx_user}worker_processes $o->{workers};
worker_rlimit_nofile $nofile;
daemon off;
pid $base.pid;
error_log $p->{log} error;
events { worker_connections 16384; multi_accept on; }
END
	# What the goals for bodies were set against is nginx with buffers as large as it has them by itself.
	my $buffers = !$o->{buffers} ? '' : $o->{mode} eq 'tcp' ? "\t\tproxy_buffer_size 64k;\n" :
	    "\t\t\tproxy_buffers 8 64k;\n\t\t\tproxy_busy_buffers_size 128k;\n";
	if ($o->{mode} eq 'tcp') {
		die "nginx has no stream module (Debian: libnginx-mod-stream)\n" unless defined $stream_module;
		put("$base.conf", <<END);
$stream_module${head}stream {
	access_log off;
	upstream app {
		least_conn;
$servers	}
	server {
		listen 0.0.0.0:$p->{port} backlog=4096 reuseport;
		tcp_nodelay on;
$buffers		proxy_pass app;
	}
}
END
	} else {
		put("$base.conf", <<END);
${head}http {
	access_log $log;
	keepalive_requests 1000000000;
	client_max_body_size 0;
	upstream app {
		least_conn;
$servers		keepalive 1024;
		keepalive_requests 1000000000;
		keepalive_timeout 1h;
	}
	client_body_temp_path $base-body;
	proxy_temp_path $base-proxy;
	fastcgi_temp_path $base-1; uwsgi_temp_path $base-2; scgi_temp_path $base-3;
	server {
		listen 0.0.0.0:$p->{port} backlog=4096 reuseport;
		location / {
			proxy_pass http://app;
			proxy_http_version 1.1;
			proxy_set_header Connection "";
			proxy_set_header X-Forwarded-For \$proxy_add_x_forwarded_for;
			proxy_request_buffering off;
$buffers			proxy_max_temp_file_size 0;
		}
	}
}
END
	}
	return ($path{nginx}, '-p', $dir, '-c', "$base.conf");
}

sub command_haproxy {
	my ($p, $o, $base, @address) = @_;
	my $limit = $o->{limit} ? " maxconn $o->{limit}" : '';
	my $servers = join '', map { "\tserver s$_ $address[$_] check inter 5s$limit\n" } 0 .. $#address;
	my $http = $o->{mode} eq 'http' ? "\toption http-keep-alive\n\thttp-reuse always\n\toption forwardfor\n" : '';
	my $splice = $o->{splice} ? "\toption splice-request\n\toption splice-response\n" : '';
	my $log = $o->{log} ? "\tlog $dir/log.sock local0\n\toption httplog\n" : '';
	my $maxconn = $nofile > 2 * 10600 ? 10500 : int(($nofile - 400) * 0.6);
	put("$base.conf", <<END);
global
	nbthread $o->{workers}
	maxconn $maxconn
	ulimit-n $nofile
	no strict-limits
	tune.pool-low-fd-ratio 85
	tune.pool-high-fd-ratio 90
${haproxy_user}defaults
	mode $o->{mode}
	timeout client 75s
	timeout server 60s
	timeout connect 3s
	timeout http-request 10s
	timeout http-keep-alive 75s
	maxconn $maxconn
$http$splice$log
frontend web
	bind 0.0.0.0:$p->{port} backlog 4096
	default_backend app
backend app
	balance leastconn
	fullconn $maxconn
$servers
END
	return ($path{haproxy}, '-db', '-f', "$base.conf");
}

sub command_relay {
	my ($p, $o) = @_;
	my @shut = $o->{shut} ? ('-1', "GET /last HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n") : ();
	return ($path{relay}, ($o->{splice} ? '-s' : ()), @shut, $o->{workers}, $p->{port}, @backend);
}

1;
