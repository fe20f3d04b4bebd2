/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The first process of a benchmark guest: says that it is there, runs /gbench with the
 * arguments that stand behind "gbench=" on the kernel's command line (commas for spaces),
 * and powers off. Static, the only other program in its initramfs.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static int arguments(char *line, char **argv, int most)
{
	char *at = strstr(line, "gbench=");
	int n = 0;

	if (!at)
		return 0;
	at += strlen("gbench=");
	at[strcspn(at, " \n")] = '\0';
	for (char *word = strtok(at, ","); word && n < most; word = strtok(NULL, ","))
		argv[n++] = word;
	return n;
}

int main(void)
{
	static char line[4096], name[] = "/gbench";
	char *argv[40] = { name };
	int fd, status, n;
	pid_t pid;

	mkdir("/proc", 0755);
	mkdir("/dev", 0755);
	mkdir("/tmp", 01777);
	mount("proc", "/proc", "proc", 0, NULL);
	mount("dev", "/dev", "devtmpfs", 0, NULL);
	mount("tmp", "/tmp", "tmpfs", 0, NULL);
	fd = open("/dev/console", O_RDWR);
	for (int i = 0; fd >= 0 && i < 3; i++)
		dup2(fd, i);
	puts("BENCH-INIT");
	fflush(stdout);
	fd = open("/proc/cmdline", O_RDONLY);
	n = fd >= 0 && read(fd, line, sizeof(line) - 1) > 0 ? arguments(line, argv + 1, 38) : 0;
	argv[n + 1] = NULL;
	if (n) {
		pid = fork();
		if (pid == 0) {
			execv(name, argv);
			_exit(127);
		}
		if (pid > 0)
			waitpid(pid, &status, 0);
	}
	puts("BENCH-END");
	fflush(stdout);
	sync();
	reboot(RB_POWER_OFF);
	for (;;)
		pause();
}
