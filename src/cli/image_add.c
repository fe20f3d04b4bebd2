/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/image_add.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/progress.h"
#include "manage/draft.h"
#include "manage/image.h"
#include "manage/probe.h"
#include "manage/transfer.h"

int image_arch(const struct image_args *a, const char **arch, struct err *err)
{
	*arch = a->arch ? a->arch : "riscv64";
	if (!image_firmware(*arch))
		return err_set(err, -EINVAL,
			       "--arch %.40s: there is no firmware that boots such disks; "
			       "riscv64 is known",
			       *arch);
	return 0;
}

static int check(const struct image_args *a, const struct probe *p, const char *source,
		 struct err *err)
{
	const char *lacking = !p->loader && !p->kernel ? "neither a boot loader's menu nor a kernel"
		: !p->loader ? "no boot loader's menu" : "no kernel";

	/* What an EFI system partition starts may be anywhere. */
	if (a->unchecked || (p->loader && p->kernel) || p->efi)
		return 0;
	return err_set(err, -EINVAL,
		       "%.160s: %s was found on it (%.200s); --unchecked takes it all the same",
		       source, lacking, p->text);
}

static int fill(const struct image_args *a, struct image_draft *d, int fd, bool compressed,
		const char *source, struct transfer *t, struct probe *p, struct err *err)
{
	struct progress bar;
	int rc;

	progress_begin(&bar, "importing", source, a->quiet);
	*t = (struct transfer){
		.from = fd, .from_name = source, .to_name = d->disk, .decompress = compressed,
		.max = IMAGE_MAX, .progress = progress_show, .opaque = &bar,
		.to = open(d->disk, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600),
	};
	if (t->to < 0)
		return err_sys(err, -errno, "%s cannot be made", d->disk);
	rc = transfer_run(t, err);
	progress_end(&bar);
	if (close(t->to) && !rc)
		rc = err_sys(err, -errno, "%s cannot be written", d->disk);
	if (!rc && (t->size == 0 || t->size % 512))
		rc = err_set(err, -EINVAL,
			     "%s: %llu bytes are no disk image: a disk has whole sectors of 512 "
			     "bytes",
			     source, (unsigned long long)t->size);
	if (!rc)
		rc = probe_disk(p, d->disk, err);
	/* That cannot be told: for --unchecked that is as good as nothing found. */
	if (rc == -EIO && a->unchecked) {
		snprintf(p->text, sizeof(p->text), "not looked at");
		rc = 0;
	}
	return rc ? rc : check(a, p, source, err);
}

int image_add_file(const struct image_args *a, const struct store *s, int fd, bool compressed,
		   const char *source, const char *name, const char *arch, struct err *err)
{
	struct image_about about = { .arch = arch, .source = source };
	struct image_draft d;
	struct transfer t;
	struct probe p;
	int rc = image_begin(&d, s, err);

	if (rc)
		return rc;
	rc = fill(a, &d, fd, compressed, source, &t, &p, err);
	about.found = p.text;
	if (!rc)
		rc = image_add(&d, s, name, t.disk_digest, &about, a->force, err);
	image_abandon(&d);
	if (!rc && !a->quiet)
		printf("found: %s\n%s: sha256:%s\n", p.text, name, t.disk_digest);
	return rc;
}
