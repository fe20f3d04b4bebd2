/* SPDX-License-Identifier: Apache-2.0 */
/* What is left to hospes-net once its sandbox is closed: tried out in child processes. */
#include "tests/unit/test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/sandbox.h"
#include "net/user/confine.h"

#define EXPECT(n, cond) do { if (!(cond)) _exit(n); } while (0)
#define REFUSED(n, call) EXPECT(n, (call) < 0 && (errno == EPERM || errno == EACCES))

static const char *resolv_conf;

static int in_child(void (*fn)(void))
{
	bool landlock = sandbox_landlock_abi() > 0;
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (!pid) {
		const struct rlimit none = { 0 };
		bool readable;

		setrlimit(RLIMIT_CORE, &none);
		if (confine(0, resolv_conf, &readable, NULL))
			_exit(100);
		if (readable != (resolv_conf && landlock))
			_exit(101);
		fn();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void network_only(void)
{
	struct sockaddr_in any = { .sin_family = AF_INET };
	struct sock_filter pass = BPF_STMT(BPF_RET | BPF_K, UINT32_MAX);
	const struct sock_fprog filter = { .len = 1, .filter = &pass };
	const int one = 1;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	EXPECT(1, fd >= 0);
	EXPECT(2, socket(AF_INET6, SOCK_DGRAM, 0) >= 0);
	REFUSED(3, bind(fd, (struct sockaddr *)&any, sizeof(any)));
	REFUSED(4, listen(fd, 1));
	REFUSED(5, socket(AF_UNIX, SOCK_STREAM, 0));
	REFUSED(6, socket(AF_NETLINK, SOCK_RAW, 0));
	EXPECT(20, !setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)));
	EXPECT(21, !setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)));
	REFUSED(22, setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter)));
	REFUSED(23, setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "cubic", 5));
	REFUSED(24, setsockopt(fd, IPPROTO_TCP, TCP_ULP, "tls", 3));
	REFUSED(7, socket(AF_PACKET, SOCK_RAW, 0));
	REFUSED(8, socket(AF_INET, SOCK_RAW, IPPROTO_ICMP));
	REFUSED(9, socket(AF_INET, SOCK_STREAM, 132));
	REFUSED(10, syscall(SYS_io_uring_setup, 1, NULL));
	REFUSED(11, syscall(SYS_bpf, 0, NULL, 0));
	REFUSED(12, kill(getppid(), 0));
	EXPECT(13, mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) !=
			   MAP_FAILED);
	EXPECT(14, mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
			   MAP_FAILED);
}

static void no_files(void)
{
	REFUSED(20, open("/etc/passwd", O_RDONLY));
	REFUSED(21, open("/", O_RDONLY | O_DIRECTORY));
	REFUSED(22, open("/tmp/hospes-net-test", O_CREAT | O_RDWR, 0600));
	REFUSED(23, open("/tmp", O_TMPFILE | O_RDWR, 0600));
	REFUSED(24, open("/proc/self/mem", O_RDWR));
	REFUSED(25, unlink("/tmp/hospes-net-test"));
	if (resolv_conf)
		REFUSED(26, open(resolv_conf, O_RDWR));
}

static void reads_resolv_conf(void)
{
	char c;
	int fd = open(resolv_conf, O_RDONLY | O_CLOEXEC);

	EXPECT(30, fd >= 0);
	EXPECT(31, read(fd, &c, 1) == 1 && c == 'n');
}

static void executes(void)
{
	char *const argv[] = { (char []){ "true" }, NULL };

	execve("/bin/true", argv, NULL);
}

static void forks(void)
{
	fork();
}

static void traces(void)
{
	syscall(SYS_ptrace, 0, 0, 0, 0);
}

static void fine(void (*fn)(void))
{
	int status = in_child(fn);

	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void killed(void (*fn)(void))
{
	int status = in_child(fn);

	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGSYS);
}

static void without_files(void **state)
{
	resolv_conf = NULL;
	fine(network_only);
	fine(no_files);
}

static void with_resolv_conf(void **state)
{
	static char path[] = "/tmp/hospes-resolv-XXXXXX";
	int fd = mkstemp(path);

	if (!sandbox_landlock_abi()) {
		unlink(path);
		skip();
	}
	assert_true(fd >= 0 && write(fd, "nameserver 127.0.0.1\n", 21) == 21);
	close(fd);
	resolv_conf = path;
	fine(network_only);
	fine(no_files);
	fine(reads_resolv_conf);
	resolv_conf = NULL;
	unlink(path);
}

static void deadly_sins(void **state)
{
	killed(executes);
	killed(forks);
	killed(traces);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_files),
		cmocka_unit_test(with_resolv_conf),
		cmocka_unit_test(deadly_sins),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
