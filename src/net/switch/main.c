/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hospes-switch: a private network between the VMs of one user.
 *
 * Two processes, and with --nat a third. The one that was started opens what there is to open
 * (the network's socket, the table of addresses), starts hospes-net for --nat, forks the switch
 * (net/switch/switch.h), which closes its sandbox and says that it is ready, and then only waits
 * for it, to put the socket away behind it: the switch itself could not, and one that is killed
 * could least of all. Whichever of them ends takes the others with it.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "net/switch/confine.h"
#include "net/switch/lan.h"
#include "net/switch/switch.h"

enum { EXIT_USAGE = 2, BACKLOG = 64, ROUTER_FD = 3, ROUTER_STATUS_FD = 4, HIGH_FD = 10 };

static const char usage[] =
	"usage: hospes-switch --socket PATH --subnet A.B.C.0/24 [option]...\n"
	"  --socket PATH      the network's socket, where its VMs connect; made anew\n"
	"  --subnet NET       the network's addresses, a private /24\n"
	"  --state DIR        folder for the table of addresses and the log\n"
	"  --on-demand        end when nobody is connected; needs --state\n"
	"  --nat              a way out, through a hospes-net process\n"
	"  --dns ADDR[:PORT]  name server for names outside, with --nat (default: the host's)\n"
	"  --uid N            user and group to become; needs root\n"
	"  --status N         descriptor that gets the line \"ready\", or what is wrong\n";

struct options {
	const char *socket, *subnet, *state, *dns;
	char *uid_text;
	uid_t uid;
	bool on_demand, nat;
	int status;
};

/* What the keeper has open or started. */
struct keeper {
	struct options o;
	struct switch_cfg cfg;
	struct stat socket;		/* whose name it is to remove */
	pid_t router, sw;
	int log;			/* -1: standard error */
};

/* ---- options ----------------------------------------------------------------------------- */

static bool number(const char *text, unsigned long most, unsigned long *out)
{
	char *rest;

	errno = 0;
	*out = strtoul(text, &rest, 10);
	return isdigit((unsigned char)*text) && !*rest && !errno && *out <= most;
}

static int parse_number(char c, const char *value, struct options *o, struct err *err)
{
	unsigned long n;

	if (!number(value, c == 'u' ? INT32_MAX : 4096, &n))
		return err_set(err, -EINVAL, "--%s: \"%s\" is no value for it",
			       c == 'u' ? "uid" : "status", value);
	if (c == 'u')
		o->uid = (uid_t)n;
	else
		o->status = (int)n;
	return 0;
}

static int parse_options(struct options *o, int argc, char **argv, struct err *err)
{
	static const struct option known[] = {
		{ "socket", required_argument, NULL, 's' },
		{ "subnet", required_argument, NULL, 'n' },
		{ "state", required_argument, NULL, 'd' },
		{ "on-demand", no_argument, NULL, 'o' },
		{ "nat", no_argument, NULL, 'r' },
		{ "dns", required_argument, NULL, 'q' },
		{ "uid", required_argument, NULL, 'u' },
		{ "status", required_argument, NULL, 't' },
		{ 0 },
	};
	int c, rc = 0;

	*o = (struct options){ .status = -1 };
	opterr = 0;
	while (!rc && (c = getopt_long(argc, argv, "", known, NULL)) != -1) {
		switch (c) {
		case 's': o->socket = optarg; break;
		case 'n': o->subnet = optarg; break;
		case 'd': o->state = optarg; break;
		case 'o': o->on_demand = true; break;
		case 'r': o->nat = true; break;
		case 'q': o->dns = optarg; break;
		case 'u': o->uid_text = optarg; /* fall through */
		case 't': rc = parse_number((char)c, optarg, o, err); break;
		default: return err_set(err, -EINVAL, "%s", usage);
		}
	}
	if (!rc && (optind != argc || !o->socket || !o->subnet || (o->on_demand && !o->state)))
		return err_set(err, -EINVAL, "%s", usage);
	return rc;
}

/* ---- what is opened before ----------------------------------------------------------------- */

static int open_state(struct keeper *k, struct err *err)
{
	const char *dir = k->o.state;
	int rc = 0;

	if (!dir)
		return 0;
	k->cfg.lock = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (k->cfg.lock < 0)
		return err_sys(err, -errno, "%s", dir);
	k->cfg.table = openat(k->cfg.lock, "addresses", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW,
			      0600);
	if (k->cfg.table < 0)
		rc = err_sys(err, -errno, "%s/addresses", dir);
	k->log = openat(k->cfg.lock, "switch.log",
			O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (!rc && k->log < 0)
		rc = err_sys(err, -errno, "%s/switch.log", dir);
	if (!k->o.on_demand) {
		close(k->cfg.lock);
		k->cfg.lock = -1;
	}
	return rc;
}

/* True when somebody serves the socket already. */
static bool is_served(const struct sockaddr_un *sun)
{
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool served = fd >= 0 && (!connect(fd, (const struct sockaddr *)sun, sizeof(*sun)) ||
				  errno == EAGAIN);

	if (fd >= 0)
		close(fd);
	return served;
}

static int open_listener(struct keeper *k, struct err *err)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	const char *path = k->o.socket;
	struct stat st;
	mode_t mask;
	int rc;

	if (strlen(path) >= sizeof(sun.sun_path))
		return err_set(err, -ENAMETOOLONG, "%s: the path of a socket has at most %zu bytes",
			       path, sizeof(sun.sun_path) - 1);
	strcpy(sun.sun_path, path);
	if (!lstat(path, &st) && !S_ISSOCK(st.st_mode))
		return err_set(err, -EEXIST, "%s: a file of another kind is in the socket's place",
			       path);
	if (is_served(&sun))
		return err_set(err, -EADDRINUSE, "%s: a switch serves this network already", path);
	unlink(path);
	k->cfg.listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	mask = umask(0177);
	rc = k->cfg.listener < 0 || bind(k->cfg.listener, (struct sockaddr *)&sun, sizeof(sun)) ||
	     listen(k->cfg.listener, BACKLOG) || lstat(path, &k->socket) ? -errno : 0;
	umask(mask);
	return rc ? err_sys(err, rc, "%s: the network's socket cannot be made", path) : 0;
}

/* ---- the router ---------------------------------------------------------------------------- */

static __attribute__((noreturn)) void become_router(const struct keeper *k, const char *program,
						    int net, int status)
{
	const char *argv[] = {
		"hospes-net", "--fd", "3", "--status", "4", "--ipv6", "no", "--subnet", k->o.subnet,
		NULL, NULL, NULL, NULL, NULL,
	};
	unsigned n = 9;
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (k->o.dns) {
		argv[n++] = "--dns";
		argv[n++] = k->o.dns;
	}
	if (k->o.uid_text) {
		argv[n++] = "--uid";
		argv[n++] = k->o.uid_text;
	}
	net = fcntl(net, F_DUPFD, HIGH_FD);
	status = fcntl(status, F_DUPFD, HIGH_FD);
	if (net < 0 || status < 0 || dup2(net, ROUTER_FD) < 0 || dup2(status, ROUTER_STATUS_FD) < 0)
		_exit(EXIT_FAILURE);
	execv(program, (char *const *)argv);
	_exit(127);
}

/* The one line that a hospes-net says. */
static int await_router(int status, struct err *err)
{
	char line[sizeof(err->msg)];
	size_t len = 0;
	ssize_t n;

	while (len < sizeof(line) - 1 &&
	       ((n = read(status, line + len, sizeof(line) - 1 - len)) > 0 ||
		(n < 0 && errno == EINTR)))
		len += n > 0 ? (size_t)n : 0;
	line[len] = '\0';
	line[strcspn(line, "\n")] = '\0';
	if (!strcmp(line, "ready"))
		return 0;
	return err_set(err, -ENETDOWN, "%s", *line ? line : "hospes-net ended before it was ready");
}

static int start_router(struct keeper *k, struct err *err)
{
	int net[2], status[2], rc;
	char path[4096], *slash;
	ssize_t n;

	if (!k->o.nat)
		return 0;
	n = readlink("/proc/self/exe", path, sizeof(path) - sizeof("hospes-net"));
	if (n < 0)
		return err_sys(err, -errno, "/proc/self/exe");
	path[n] = '\0';
	slash = strrchr(path, '/');
	strcpy(slash + 1, "hospes-net");
	if (access(path, X_OK))
		return err_sys(err, -errno, "%s is needed for --nat", path);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, net))
		return err_sys(err, -errno, "socketpair");
	k->cfg.router = net[0];
	if (pipe2(status, O_CLOEXEC)) {
		close(net[1]);
		return err_sys(err, -errno, "pipe");
	}
	k->router = fork();
	if (!k->router)
		become_router(k, path, net[1], status[1]);
	rc = k->router < 0 ? err_sys(err, -errno, "hospes-net cannot be started") : 0;
	close(net[1]);
	close(status[1]);
	if (!rc)
		rc = await_router(status[0], err);
	close(status[0]);
	return rc;
}

/* ---- the switch ---------------------------------------------------------------------------- */

/* One line for the starter, then its descriptor is closed. */
static void tell(int *fd, const char *text)
{
	char line[600];
	int n = snprintf(line, sizeof(line), "%s\n", text);

	if (*fd < 0)
		return;
	if (write(*fd, line, (size_t)n) < 0)
		log_debug("the starter does not listen");
	close(*fd);
	*fd = -1;
}

/* The sentence goes to the starter, who shows it; without one, to whoever reads. */
static int fail(struct options *o, int status, const struct err *err)
{
	if (o->status < 0)
		fprintf(stderr, "hospes-switch: %s\n", err->msg);
	tell(&o->status, err->msg);
	return status;
}

static __attribute__((noreturn)) void become_switch(struct keeper *k, pid_t parent)
{
	struct sw *s = NULL;
	struct err err;
	int rc = switch_new(&s, &k->cfg, &err);

	if (!rc)
		rc = switch_confine(k->o.uid, parent, &err);
	if (rc)
		_exit(fail(&k->o, EXIT_FAILURE, &err));
	tell(&k->o.status, "ready");
	if (k->log >= 0)
		dup2(k->log, STDERR_FILENO);
	switch_run(s);
	switch_free(s);
	/* Handlers of exit() may want what the sandbox refuses. */
	_exit(EXIT_SUCCESS);
}

static int start(struct keeper *k, struct err *err)
{
	pid_t self = getpid();
	sigset_t wanted;
	int rc;

	sigemptyset(&wanted);
	sigaddset(&wanted, SIGTERM);
	sigaddset(&wanted, SIGINT);
	sigaddset(&wanted, SIGHUP);
	k->cfg.signals = signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK);
	sigaddset(&wanted, SIGCHLD);
	sigprocmask(SIG_BLOCK, &wanted, NULL);
	if (k->cfg.signals < 0)
		return err_sys(err, -errno, "signalfd");
	rc = lan_parse(&k->cfg.net, k->o.subnet, err);
	if (!rc)
		rc = open_state(k, err);
	if (!rc)
		rc = open_listener(k, err);
	if (!rc)
		rc = start_router(k, err);
	if (rc)
		return rc;
	k->sw = fork();
	if (!k->sw)
		become_switch(k, self);
	return k->sw < 0 ? err_sys(err, -errno, "the switch cannot be started") : 0;
}

/* ---- the keeper ---------------------------------------------------------------------------- */

/* Only the lock stays, which the switch may have taken at its end (the same open file). */
static void let_go(struct keeper *k)
{
	int *fds[] = { &k->cfg.listener, &k->cfg.router, &k->cfg.table, &k->cfg.signals,
		       &k->o.status };

	for (size_t i = 0; i < sizeof(fds) / sizeof(*fds); i++)
		if (*fds[i] >= 0)
			close(*fds[i]);
	if (k->log >= 0)
		dup2(k->log, STDERR_FILENO);
}

/* Until the switch has ended: its status. */
static int wait_for_switch(struct keeper *k)
{
	sigset_t wanted;
	int status, got;
	pid_t pid;

	sigemptyset(&wanted);
	sigaddset(&wanted, SIGTERM);
	sigaddset(&wanted, SIGINT);
	sigaddset(&wanted, SIGHUP);
	sigaddset(&wanted, SIGCHLD);
	for (;;) {
		while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
			if (pid == k->sw)
				return status;
			k->router = pid == k->router ? 0 : k->router;
		}
		got = sigwaitinfo(&wanted, NULL);
		if (got > 0 && got != SIGCHLD)
			kill(k->sw, SIGTERM);
	}
}

/* The socket's name goes, unless it is another's by now; on demand, its empty folder too. */
static void put_away(struct keeper *k)
{
	char dir[sizeof(((struct sockaddr_un *)0)->sun_path)], *slash;
	struct stat st;

	if (!k->socket.st_ino)
		return;
	if (k->cfg.lock >= 0)
		flock(k->cfg.lock, LOCK_EX);
	if (lstat(k->o.socket, &st) || st.st_ino != k->socket.st_ino ||
	    st.st_dev != k->socket.st_dev)
		return;
	unlink(k->o.socket);
	strcpy(dir, k->o.socket);
	slash = strrchr(dir, '/');
	if (k->o.on_demand && slash) {
		*slash = '\0';
		rmdir(dir);
	}
}

static void end_router(struct keeper *k)
{
	if (k->router <= 0)
		return;
	kill(k->router, SIGKILL);
	waitpid(k->router, NULL, 0);
}

int main(int argc, char **argv)
{
	struct keeper k = {
		.cfg = { .owner = geteuid(), .listener = -1, .router = -1, .table = -1, .lock = -1,
			 .signals = -1 },
		.log = -1,
	};
	struct err err;
	int status;

	log_setup(STDERR_FILENO, "hospes-switch", LOG_INFO);
	signal(SIGPIPE, SIG_IGN);
	if (parse_options(&k.o, argc, argv, &err))
		return fail(&k.o, EXIT_USAGE, &err);
	if (start(&k, &err)) {
		fail(&k.o, EXIT_FAILURE, &err);
		put_away(&k);
		end_router(&k);
		return EXIT_FAILURE;
	}
	let_go(&k);
	status = wait_for_switch(&k);
	if (WIFSIGNALED(status))
		log_warn("the switch was killed by signal %d (%s)", WTERMSIG(status),
			 strsignal(WTERMSIG(status)));
	end_router(&k);
	put_away(&k);
	return WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_FAILURE;
}
