/* SPDX-License-Identifier: Apache-2.0 */
#include "block/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

int blk_lock(int fd, bool exclusive, const char *name, struct err *err)
{
	/* Length 0: to the end of the file, wherever that will be. */
	struct flock fl = { .l_type = exclusive ? F_WRLCK : F_RDLCK, .l_whence = SEEK_SET };

	if (!fcntl(fd, F_OFD_SETLK, &fl))
		return 0;
	if (errno == EAGAIN || errno == EACCES)
		return err_set(err, -EBUSY, "%s: in use by another VM; stop it or use a copy",
			       name);
	return err_sys(err, -errno, "%s: cannot be locked", name);
}
