/* SPDX-License-Identifier: Apache-2.0 */
#include "machine/load/gunzip.h"

#include <errno.h>
#include <string.h>

int gunzip_open(struct gunzip *g, const struct load_file *file, uint64_t off, uint64_t len,
		struct err *err)
{
	memset(g, 0, sizeof(*g));
	g->file = file;
	g->off = off;
	g->left = len;
	if (inflateInit2(&g->z, 16 + MAX_WBITS) != Z_OK)
		return err_set(err, -ENOMEM, "%s: no memory to decompress it", file->name);
	g->open = true;
	return 0;
}

/* Fetches compressed bytes when there are none. */
static int refill(struct gunzip *g, struct err *err)
{
	uint64_t n = g->left < sizeof(g->in) ? g->left : sizeof(g->in);
	int rc;

	if (g->z.avail_in)
		return 0;
	if (!n)
		return err_set(err, -ENODATA, "%s: the compressed data is cut short; get it again",
			       g->file->name);
	rc = load_file_read(g->file, g->off, g->in, n, err);
	if (rc)
		return rc;
	g->off += n;
	g->left -= n;
	g->z.next_in = g->in;
	g->z.avail_in = (unsigned)n;
	return 0;
}

int gunzip_read(struct gunzip *g, void *buf, uint64_t len, uint64_t *got, struct err *err)
{
	uint8_t *at = buf;

	*got = 0;
	while (*got < len && !g->ended) {
		uint64_t room = len - *got;
		unsigned step = room < (1u << 30) ? (unsigned)room : 1u << 30;
		int rc = refill(g, err);

		if (rc)
			return rc;
		g->z.next_out = at + *got;
		g->z.avail_out = step;
		rc = inflate(&g->z, Z_NO_FLUSH);
		*got += step - g->z.avail_out;
		if (rc == Z_STREAM_END)
			g->ended = true;
		else if (rc == Z_MEM_ERROR)
			return err_set(err, -ENOMEM, "%s: no memory to decompress it",
				       g->file->name);
		else if (rc != Z_OK)
			return err_set(err, -EBADMSG, "%s: the compressed data is damaged (%s); "
				       "get it again", g->file->name,
				       g->z.msg ? g->z.msg : "invalid gzip data");
	}
	return 0;
}

void gunzip_close(struct gunzip *g)
{
	if (g->open)
		inflateEnd(&g->z);
	g->open = false;
}
