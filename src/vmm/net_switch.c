/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/net_switch.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/usock.h"
#include "config/netconfig.h"
#include "net/switch/wire.h"
#include "vmm/confine.h"
#include "vmm/helper.h"

enum { STATUS_FD = 3 };

/* A network, while a port of it is opened. */
struct network {
	const char *name;
	struct netconfig config;
	char folder[PATH_MAX];		/* of its configuration */
	int lock;			/* that folder: who locks it connects, or ends the switch */
	struct sockaddr_un address;
};

/* ---- starting ------------------------------------------------------------------------------ */

/* The grandchild: nobody's, as it outlives whoever was the first to need it. */
static __attribute__((noreturn)) void become_switch(const struct network *w, const char *program,
						    int status)
{
	uid_t own_id = confine_uid(w->config.id, "switch");
	const char *argv[] = {
		"hospes-switch", "--socket", w->address.sun_path, "--subnet", w->config.subnet,
		"--state", w->folder, "--on-demand", "--status", "3", NULL, NULL, NULL, NULL,
	};
	unsigned args = 10;
	char uid[16];
	sigset_t none;

	setsid();
	if (fork())
		_exit(EXIT_SUCCESS);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (w->config.nat)
		argv[args++] = "--nat";
	if (own_id) {
		snprintf(uid, sizeof(uid), "%u", (unsigned)own_id);
		argv[args++] = "--uid";
		argv[args++] = uid;
	}
	if (status == STATUS_FD ? fcntl(status, F_SETFD, 0) : dup2(status, STATUS_FD) < 0)
		_exit(EXIT_FAILURE);
	close_range(STATUS_FD + 1, UINT_MAX, 0);
	execv(program, (char *const *)argv);
	_exit(127);
}

static int start_switch(const struct network *w, struct err *err)
{
	char program[PATH_MAX];
	int status[2], rc = helper_find("hospes-switch", program, sizeof(program), err);
	pid_t pid;

	if (rc)
		return rc;
	if (pipe2(status, O_CLOEXEC))
		return err_sys(err, -errno, "pipe");
	pid = fork();
	if (!pid)
		become_switch(w, program, status[1]);
	rc = pid < 0 ? err_sys(err, -errno, "the network's switch cannot be started") : 0;
	close(status[1]);
	if (!rc)
		rc = helper_await("hospes-switch", status[0], err);
	close(status[0]);
	if (pid > 0)
		waitpid(pid, NULL, 0);
	return rc;
}

/* ---- connecting ---------------------------------------------------------------------------- */

static int find_network(struct network *w, const char *dir, struct err *err)
{
	char path[PATH_MAX];
	int rc;

	if (snprintf(path, sizeof(path), "%s/../../networks/%s", dir, w->name) >= (int)sizeof(path))
		return err_set(err, -ENAMETOOLONG, "%s: the path is too long", dir);
	if (!realpath(path, w->folder))
		return errno == ENOENT ? err_set(err, -ENOENT, "there is no network '%s'", w->name)
				       : err_sys(err, -errno, "%s", path);
	rc = netconfig_load(&w->config, w->folder, err);
	if (rc)
		return rc;
	w->lock = open(w->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return w->lock < 0 ? err_sys(err, -errno, "%s", w->folder) : 0;
}

/* The network's folder of sockets, made where it is missing. */
static int find_socket(struct network *w, struct err *err)
{
	char folder[USOCK_RUNTIME];
	int fd, rc = usock_runtime(folder, w->config.id, err);

	if (!rc)
		rc = usock_make_folder(folder, &fd, err);
	if (rc)
		return rc;
	close(fd);
	w->address.sun_family = AF_UNIX;
	if (snprintf(w->address.sun_path, sizeof(w->address.sun_path), "%s/switch.sock", folder) >=
	    (int)sizeof(w->address.sun_path))
		return err_set(err, -ENAMETOOLONG, "%s: the path is too long for a socket; choose "
			       "a shorter XDG_RUNTIME_DIR", folder);
	return 0;
}

/* A connection to a switch of this user or root. -ECONNREFUSED, -ENOENT: there is none. */
static int dial(const struct network *w, int *fd, struct err *err)
{
	const struct timeval patience = { .tv_sec = HELLO_MS / 1000 };
	struct ucred peer;
	socklen_t len = sizeof(peer);
	int rc = 0, s = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	if (s < 0)
		return err_sys(err, -errno, "socket");
	setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(s, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	if (connect(s, (const struct sockaddr *)&w->address, sizeof(w->address)))
		rc = err_sys(err, -errno, "%s", w->address.sun_path);
	else if (getsockopt(s, SOL_SOCKET, SO_PEERCRED, &peer, &len) ||
		 (peer.uid && peer.uid != geteuid()))
		rc = err_set(err, -EPERM, "%s is served by somebody else", w->address.sun_path);
	if (rc)
		close(s);
	else
		*fd = s;
	return rc;
}

static int say_hello(const struct network *w, int fd, const struct vmconfig *c, unsigned n,
		     struct err *err)
{
	uint8_t msg[HELLO_MAX], mac[6];
	char answer[HELLO_REPLY_MAX + 1];
	ssize_t got;
	size_t len;

	vmconfig_parse_mac(c->nets[n].mac, mac);
	len = hello_make(msg, mac, c->name);
	if (!len)
		return err_set(err, -EINVAL, "network '%s' has no port for MAC address %s and the "
			       "name '%s'", w->name, c->nets[n].mac, c->name);
	if (send(fd, msg, len, MSG_NOSIGNAL) < 0)
		return err_sys(err, -errno, "network '%s' does not listen", w->name);
	got = recv(fd, answer, sizeof(answer) - 1, 0);
	if (got <= 0)
		return err_set(err, -ENETDOWN, "network '%s' does not answer; all of its ports may "
			       "be in use", w->name);
	answer[got] = '\0';
	if (answer[0] != HELLO_OK)
		return err_set(err, -ENETDOWN, "network '%s': %s", w->name, answer + 1);
	return 0;
}

static int open_port(struct network *w, const struct vmconfig *c, unsigned n, int *fd,
		     struct err *err)
{
	int rc = find_socket(w, err);

	if (rc)
		return rc;
	rc = dial(w, fd, err);
	if (rc == -ECONNREFUSED || rc == -ENOENT) {
		rc = start_switch(w, err);
		if (!rc)
			rc = dial(w, fd, err);
	}
	if (rc)
		return rc;
	rc = say_hello(w, *fd, c, n, err);
	if (rc) {
		close(*fd);
		*fd = -1;
	}
	return rc;
}

int net_switch_connect(const struct vmconfig *c, unsigned n, const char *dir, int *fd,
		       struct err *err)
{
	struct network *w = calloc(1, sizeof(*w));
	int rc;

	if (!w)
		return err_set(err, -ENOMEM, "out of memory");
	w->name = c->nets[n].network;
	w->lock = -1;
	rc = find_network(w, dir, err);
	/* Held for as long as a switch takes to start, by whoever is first. */
	if (!rc && flock(w->lock, LOCK_EX))
		rc = err_sys(err, -errno, "network '%s' cannot be locked", w->name);
	if (!rc)
		rc = open_port(w, c, n, fd, err);
	if (w->lock >= 0)
		close(w->lock);
	free(w);
	return rc;
}
