/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hospes-net: the user-mode network of one VM, in a process of its own.
 *
 * Started by a VM's supervisor with one end of a socket pair, whose other end the monitor has
 * (net/user_wire.h). It opens what it needs (forwarded ports, the resolver's address), closes
 * its sandbox, says so, and serves until the monitor goes.
 */
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/bits.h"
#include "base/log.h"
#include "net/user/confine.h"
#include "net/switch/lan.h"
#include "net/user/router.h"

#define RESOLV_CONF "/etc/resolv.conf"

enum { MAX_FORWARDS = 256, EXIT_USAGE = 2, NOFILE = 4096 };

static const char usage[] =
	"usage: hospes-net --fd N [option]...\n"
	"  --fd N             the socket pair to the monitor (SOCK_SEQPACKET)\n"
	"  --forward [ADDR:]PORT:GUESTPORT[/udp]\n"
	"                     host port to guest port; ADDR is 127.0.0.1 unless given\n"
	"  --host-loopback    let the guest reach the host's 127.0.0.1 as 10.0.2.2\n"
	"  --hostname NAME    the name that DHCP tells the guest\n"
	"  --dns ADDR[:PORT]  name server behind 10.0.2.3 (default: the host's, /etc/resolv.conf)\n"
	"  --ipv6 yes|no|auto whether the guest gets IPv6; auto: when the host has it (default)\n"
	"  --subnet A.B.C.0/24 the guests' network (default: 10.0.2.0/24); no forwarding then\n"
	"  --uid N            user and group to become; needs root\n"
	"  --status N         descriptor that gets the line \"ready\", or what is wrong\n";

struct forward {
	struct in_addr addr;
	uint16_t port, guest_port;
	bool udp;
};

struct options {
	int fd, status;
	uid_t uid;
	const char *dns, *ipv6;
	struct router_cfg router;
	struct forward forwards[MAX_FORWARDS];
	unsigned forward_count;
};

/* A whole decimal number from 0 to most. */
static bool number(const char *text, unsigned long most, unsigned long *out)
{
	char *rest;

	errno = 0;
	*out = strtoul(text, &rest, 10);
	return isdigit((unsigned char)*text) && !*rest && !errno && *out <= most;
}

static int parse_forward(struct forward *f, const char *text, struct err *err)
{
	char buf[64];
	char *guest, *port, *slash;
	unsigned long h, g;

	*f = (struct forward){ .addr.s_addr = htonl(INADDR_LOOPBACK) };
	if (strlen(text) >= sizeof(buf))
		goto bad;
	strcpy(buf, text);
	slash = strchr(buf, '/');
	if (slash) {
		f->udp = !strcmp(slash, "/udp");
		if (!f->udp && strcmp(slash, "/tcp"))
			goto bad;
		*slash = '\0';
	}
	guest = strrchr(buf, ':');
	if (!guest)
		goto bad;
	*guest++ = '\0';
	port = strrchr(buf, ':');
	if (port) {
		*port++ = '\0';
		if (inet_pton(AF_INET, buf, &f->addr) != 1)
			goto bad;
	} else {
		port = buf;
	}
	if (!number(port, 65535, &h) || !h || !number(guest, 65535, &g) || !g)
		goto bad;
	f->port = (uint16_t)h;
	f->guest_port = (uint16_t)g;
	return 0;
bad:
	return err_set(err, -EINVAL,
		       "port forwarding \"%s\": give [ADDR:]PORT:GUESTPORT[/udp], with an IPv4 "
		       "address and ports from 1 to 65535, as in 8080:80", text);
}

static int bad_value(const char *option, const char *value, struct err *err)
{
	return err_set(err, -EINVAL, "--%s: \"%s\" is no value for it", option, value);
}

static int parse_option(struct options *o, int c, const char *value, struct err *err)
{
	unsigned long n;

	switch (c) {
	case 'f':
	case 's':
		if (!number(value, NOFILE, &n))
			return bad_value(c == 'f' ? "fd" : "status", value, err);
		*(c == 'f' ? &o->fd : &o->status) = (int)n;
		return 0;
	case 'p':
		if (o->forward_count == MAX_FORWARDS)
			return err_set(err, -EINVAL, "more than %d forwarded ports", MAX_FORWARDS);
		return parse_forward(&o->forwards[o->forward_count++], value, err);
	case 'l':
		o->router.host_loopback = true;
		return 0;
	case 'h':
		if (!*value || strlen(value) > 32)
			return err_set(err, -EINVAL, "host name \"%s\": 1 to 32 characters", value);
		o->router.hostname = value;
		return 0;
	case 'd':
		o->dns = value;
		return 0;
	case '6':
		if (strcmp(value, "yes") && strcmp(value, "no") && strcmp(value, "auto"))
			return bad_value("ipv6", value, err);
		o->ipv6 = value;
		return 0;
	case 'n':
		return lan_parse(&o->router.net, value, err);
	case 'u':
		if (!number(value, INT32_MAX, &n))
			return bad_value("uid", value, err);
		o->uid = (uid_t)n;
		return 0;
	default:
		return err_set(err, -EINVAL, "%s", usage);
	}
}

static int parse_options(struct options *o, int argc, char **argv, struct err *err)
{
	static const struct option known[] = {
		{ "fd", required_argument, NULL, 'f' },
		{ "forward", required_argument, NULL, 'p' },
		{ "host-loopback", no_argument, NULL, 'l' },
		{ "hostname", required_argument, NULL, 'h' },
		{ "dns", required_argument, NULL, 'd' },
		{ "ipv6", required_argument, NULL, '6' },
		{ "subnet", required_argument, NULL, 'n' },
		{ "uid", required_argument, NULL, 'u' },
		{ "status", required_argument, NULL, 's' },
		{ 0 },
	};
	socklen_t len = sizeof(int);
	int c, rc, type = 0;

	*o = (struct options){ .fd = -1, .status = -1, .ipv6 = "auto" };
	opterr = 0;
	while ((c = getopt_long(argc, argv, "", known, NULL)) != -1) {
		rc = parse_option(o, c, optarg, err);
		if (rc)
			return rc;
	}
	if (optind != argc || o->fd < 0 || (o->router.net && o->forward_count))
		return err_set(err, -EINVAL, "%s", usage);
	if (getsockopt(o->fd, SOL_SOCKET, SO_TYPE, &type, &len) < 0 || type != SOCK_SEQPACKET)
		return err_set(err, -EINVAL, "--fd %d is no seqpacket socket", o->fd);
	return 0;
}

/* Whether the host has a route to global IPv6 addresses. Sends nothing. */
static bool host_has_ipv6(void)
{
	struct sockaddr_in6 far = { .sin6_family = AF_INET6, .sin6_port = htons(53) };
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool has;

	inet_pton(AF_INET6, "2000::1", &far.sin6_addr);
	has = fd >= 0 && !connect(fd, (struct sockaddr *)&far, sizeof(far));
	if (fd >= 0)
		close(fd);
	return has;
}

/* Closes what the starter left open by mistake, and makes room for many sockets. */
static void own_descriptors(const struct options *o)
{
	struct rlimit files;
	int low = o->fd, high = o->status < 0 ? o->fd : o->status;

	if (low > high) {
		low = o->status;
		high = o->fd;
	}
	if (low > 3)
		syscall(SYS_close_range, 3, low - 1, 0);
	if (high > low + 1)
		syscall(SYS_close_range, low + 1 > 3 ? low + 1 : 3, high - 1, 0);
	syscall(SYS_close_range, high + 1 > 3 ? high + 1 : 3, UINT32_MAX, 0);
	if (!getrlimit(RLIMIT_NOFILE, &files)) {
		files.rlim_cur = files.rlim_max < NOFILE ? files.rlim_max : NOFILE;
		setrlimit(RLIMIT_NOFILE, &files);
	}
}

static int start(struct router **out, struct options *o, struct err *err)
{
	bool readable = false;
	struct router *r;
	int rc;

	own_descriptors(o);
	o->router.ipv6 = !strcmp(o->ipv6, "yes") || (!strcmp(o->ipv6, "auto") && host_has_ipv6());
	rc = router_new(&r, o->fd, &o->router, err);
	if (rc)
		return rc;
	for (unsigned i = 0; i < o->forward_count && !rc; i++) {
		const struct forward *f = &o->forwards[i];

		rc = router_forward(r, f->addr, f->port, f->guest_port, f->udp, err);
	}
	if (!rc && o->dns)
		rc = dns_from_option(router_dns(r), o->dns, err);
	else if (!rc)
		dns_from_file(router_dns(r), RESOLV_CONF, true);
	if (!rc)
		rc = confine(o->uid, o->dns ? NULL : RESOLV_CONF, &readable, err);
	if (rc) {
		router_free(r);
		return rc;
	}
	if (!readable)
		router_dns(r)->path = NULL;
	*out = r;
	return 0;
}

/* One line for the starter, then its descriptor is closed. */
static void tell(int fd, const char *text)
{
	char line[600];
	int n = snprintf(line, sizeof(line), "%s\n", text);

	if (fd < 0)
		return;
	if (write(fd, line, (size_t)n) < 0)
		log_debug("the starter does not listen");
	close(fd);
}

/* The sentence goes to the starter, who shows it; without one, to whoever reads. */
static int fail(int fd, int status, const struct err *err)
{
	if (fd < 0)
		fprintf(stderr, "hospes-net: %s\n", err->msg);
	tell(fd, err->msg);
	return status;
}

int main(int argc, char **argv)
{
	struct options o;
	struct router *r;
	struct err err;
	int rc;

	log_setup(STDERR_FILENO, "hospes-net", LOG_INFO);
	signal(SIGPIPE, SIG_IGN);
	rc = parse_options(&o, argc, argv, &err);
	if (rc)
		return fail(o.status, EXIT_USAGE, &err);
	rc = start(&r, &o, &err);
	if (rc)
		return fail(o.status, EXIT_FAILURE, &err);
	tell(o.status, "ready");
	rc = router_run(r, &err);
	if (rc)
		log_error("%s", err.msg);
	router_free(r);
	/* Handlers of exit() may want what the sandbox refuses. */
	_exit(rc ? EXIT_FAILURE : EXIT_SUCCESS);
}
