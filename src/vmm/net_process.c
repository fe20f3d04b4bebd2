/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/net_process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/bits.h"
#include "base/log.h"
#include "vmm/confine.h"
#include "vmm/helper.h"
#include "vmm/net_switch.h"

/* The descriptors that the process finds its ends at. */
enum { NET_FD = 3, STATUS_FD = 4, MAX_ARGS = 2 * VMCONFIG_MAX_FORWARDS + 16, HOSTNAME_MAX = 32 };

/* Puts ours to theirs, whatever else is where; they stay open across exec. */
static bool place(int net, int status)
{
	net = fcntl(net, F_DUPFD, STATUS_FD + 1);
	status = fcntl(status, F_DUPFD, STATUS_FD + 1);
	return net >= 0 && status >= 0 && dup2(net, NET_FD) >= 0 && dup2(status, STATUS_FD) >= 0 &&
	       close(net) == 0 && close(status) == 0;
}

/* The child. */
static __attribute__((noreturn)) void become_net(const char *program, const struct vmconfig *c,
						 unsigned n, int net, int status)
{
	char uid[16], hostname[HOSTNAME_MAX + 1];
	const char *argv[MAX_ARGS] = { "hospes-net", "--fd", "3", "--status", "4" };
	const struct vmconfig_net *card = &c->nets[n];
	uid_t own_id = confine_uid(c->uuid, "net");
	unsigned args = 5;
	sigset_t none;

	/* Signals of a terminal are not for it. */
	setsid();
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (!place(net, status))
		_exit(EXIT_FAILURE);
	snprintf(hostname, sizeof(hostname), "%s", c->name);
	argv[args++] = "--hostname";
	argv[args++] = hostname;
	if (own_id) {
		snprintf(uid, sizeof(uid), "%u", (unsigned)own_id);
		argv[args++] = "--uid";
		argv[args++] = uid;
	}
	if (card->host_loopback)
		argv[args++] = "--host-loopback";
	for (unsigned i = 0; i < card->forward_count; i++) {
		argv[args++] = "--forward";
		argv[args++] = card->forward[i];
	}
	argv[args] = NULL;
	execv(program, (char *const *)argv);
	_exit(127);
}

int net_process_start(struct net_process *p, const struct vmconfig *c, unsigned n, const char *dir,
		      int *fd, struct err *err)
{
	int net[2], status[2], rc;
	char program[4096];

	if (c->nets[n].network)
		return net_switch_connect(c, n, dir, fd, err);
	rc = helper_find("hospes-net", program, sizeof(program), err);
	if (rc)
		return rc;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, net))
		return err_sys(err, -errno, "socketpair");
	if (pipe2(status, O_CLOEXEC)) {
		rc = err_sys(err, -errno, "pipe");
		goto out_net;
	}
	p->pid = fork();
	if (p->pid < 0) {
		rc = err_sys(err, -errno, "the network process cannot be started");
		p->pid = 0;
		goto out_status;
	}
	if (p->pid == 0)
		become_net(program, c, n, net[1], status[1]);
	close(status[1]);
	status[1] = -1;
	rc = helper_await("hospes-net", status[0], err);
	if (rc)
		net_process_end(p);

out_status:
	close(status[0]);
	if (status[1] >= 0)
		close(status[1]);
out_net:
	close(net[1]);
	if (rc)
		close(net[0]);
	else
		*fd = net[0];
	return rc;
}

static void forget(struct net_process *p)
{
	p->pid = 0;
	if (!p->loop)
		return;
	loop_fd_del(p->loop, &p->exited);
	close(p->exited.fd);
	p->loop = NULL;
}

static void on_exit_of_net(struct loop_fd *w, unsigned events)
{
	struct net_process *p = container_of(w, struct net_process, exited);
	int status;

	if (waitpid(p->pid, &status, WNOHANG) != p->pid)
		return;
	if (WIFSIGNALED(status))
		log_warn("the network process was killed by signal %d (%s)", WTERMSIG(status),
			 strsignal(WTERMSIG(status)));
	forget(p);
}

int net_process_watch(struct net_process *p, struct loop *loop, struct err *err)
{
	int rc, fd;

	if (!p->pid)
		return 0;
	fd = (int)syscall(SYS_pidfd_open, p->pid, 0);
	if (fd < 0)
		return err_sys(err, -errno, "pidfd_open (Linux 5.3 or later is needed)");
	p->exited = (struct loop_fd){ .fd = fd, .fn = on_exit_of_net };
	rc = loop_fd_set(loop, &p->exited, LOOP_IN);
	if (rc) {
		close(fd);
		return err_sys(err, rc, "the network process cannot be watched");
	}
	p->loop = loop;
	return 0;
}

void net_process_end(struct net_process *p)
{
	if (!p->pid)
		return;
	/* It keeps nothing that would have to be put away, and one that hangs takes no other signal. */
	kill(p->pid, SIGKILL);
	waitpid(p->pid, NULL, 0);
	forget(p);
}
