/* SPDX-License-Identifier: Apache-2.0 */
#include "manage/pull.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "manage/digest.h"

enum {
	REDIRECTS_MAX = 5,
	CONNECT_SECONDS = 30,
	SILENT_SECONDS = 60,
	/* A server that breaks every connection after a few bytes is not followed for ever. */
	ATTEMPTS_MAX = 100,
	/* Nor is one that begins anew each time and never comes further than before. */
	IN_VAIN_MAX = 3,
	READ_BUF = 1 << 16,
};

struct run {
	const struct pull *p;
	int fd;
	CURL *curl;
	struct digest digest;
	uint64_t have;			/* bytes in the file, all in the digest */
	uint64_t asked;			/* where this answer should begin */
	uint64_t range_start;		/* where a 206 says it begins */
	uint64_t announced;		/* bytes the whole file has, by this answer; 0: not said */
	bool answered;			/* this attempt's first byte has come */
	int rc;				/* why write() stopped */
	struct err err;
	char curl_said[CURL_ERROR_SIZE];
};

static int restart(struct run *r)
{
	digest_fini(&r->digest);
	r->have = 0;
	if (ftruncate(r->fd, 0))
		return err_sys(&r->err, -errno, "the download cannot be written");
	return digest_init(&r->digest, &r->err);
}

/* What lies in the file from last time joins the digest. */
static int take_what_is_there(struct run *r)
{
	unsigned char *buf = malloc(READ_BUF);
	int rc = buf ? digest_init(&r->digest, &r->err)
		: err_set(&r->err, -ENOMEM, "%s: out of memory", r->p->url);
	ssize_t n = 1;

	while (!rc && n > 0) {
		n = pread(r->fd, buf, READ_BUF, (off_t)r->have);
		if (n < 0)
			rc = err_sys(&r->err, -errno, "what was downloaded before cannot be read");
		if (n > 0 && digest_add(&r->digest, buf, (size_t)n))
			rc = err_set(&r->err, -EIO, "OpenSSL cannot make the digest");
		r->have += n > 0 ? (uint64_t)n : 0;
	}
	free(buf);
	return rc;
}

static size_t on_header(char *line, size_t size, size_t n, void *opaque)
{
	struct run *r = opaque;
	unsigned long long start, all;
	char text[128];

	snprintf(text, sizeof(text), "%.*s", (int)(n < 127 ? n : 127), line);
	if (!strncmp(text, "HTTP/", 5)) {
		r->range_start = UINT64_MAX;
		r->announced = 0;
	} else if (!strncasecmp(text, "Content-Range:", 14)) {
		if (sscanf(text + 14, " bytes %llu-%*u/%llu", &start, &all) == 2)
			r->announced = all;
		if (sscanf(text + 14, " bytes %llu-", &start) == 1)
			r->range_start = start;
	} else if (!strncasecmp(text, "Content-Length:", 15) && r->range_start == UINT64_MAX &&
		   sscanf(text + 15, " %llu", &all) == 1) {
		r->announced = all;
	}
	return n * size;
}

/* The first bytes of an answer: do they go on where the file ends? */
static int begin_answer(struct run *r)
{
	long code = 0;

	curl_easy_getinfo(r->curl, CURLINFO_RESPONSE_CODE, &code);
	r->answered = true;
	if (code == 206 && r->range_start != r->have)
		return err_set(&r->err, -EPROTO,
			       "%s: the server sent another part than it was asked for", r->p->url);
	/* All of it, though a part was asked for: a server without ranges. */
	if (code != 206 && r->have)
		return restart(r);
	return 0;
}

static size_t on_data(char *data, size_t size, size_t n, void *opaque)
{
	struct run *r = opaque;
	uint64_t limit = r->p->size ? r->p->size : r->p->max;
	size_t done = 0;

	if (!r->answered)
		r->rc = begin_answer(r);
	if (!r->rc && n > limit - r->have)
		r->rc = err_set(&r->err, -EBADMSG, "%s has more than the %llu bytes %s", r->p->url,
				(unsigned long long)limit, r->p->size ? "it should have"
				: "an image may have");
	while (!r->rc && done < n) {
		ssize_t put = pwrite(r->fd, data + done, n - done, (off_t)(r->have + done));

		if (put < 0 && errno == EINTR)
			continue;
		if (put <= 0)
			r->rc = err_sys(&r->err, put < 0 ? -errno : -EIO,
					"the download cannot be written");
		else
			done += (size_t)put;
	}
	if (!r->rc && digest_add(&r->digest, data, n))
		r->rc = err_set(&r->err, -EIO, "OpenSSL cannot make the digest");
	if (r->rc)
		return 0;
	r->have += n;
	if (r->p->progress)
		r->p->progress(r->p->opaque, r->have, r->p->size ? r->p->size : r->announced);
	return n * size;
}

static bool is_scheme(const char *url, const char *scheme)
{
	return !strncasecmp(url, scheme, strlen(scheme));
}

static int setup(struct run *r)
{
	CURL *c = r->curl;
	bool https = is_scheme(r->p->url, "https:");
	bool bad = curl_easy_setopt(c, CURLOPT_URL, r->p->url) ||
		curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https,file") ||
		curl_easy_setopt(c, CURLOPT_REDIR_PROTOCOLS_STR, https ? "https" : "http,https") ||
		curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 1L) ||
		curl_easy_setopt(c, CURLOPT_MAXREDIRS, (long)REDIRECTS_MAX) ||
		curl_easy_setopt(c, CURLOPT_FAILONERROR, 1L) ||
		curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L) ||
		curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_SECONDS) ||
		curl_easy_setopt(c, CURLOPT_LOW_SPEED_LIMIT, 1L) ||
		curl_easy_setopt(c, CURLOPT_LOW_SPEED_TIME, (long)SILENT_SECONDS) ||
		curl_easy_setopt(c, CURLOPT_USERAGENT, "hospes/" HOSPES_VERSION) ||
		curl_easy_setopt(c, CURLOPT_ERRORBUFFER, r->curl_said) ||
		curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, on_header) ||
		curl_easy_setopt(c, CURLOPT_HEADERDATA, r) ||
		curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_data) ||
		curl_easy_setopt(c, CURLOPT_WRITEDATA, r);

	return bad ? err_set(&r->err, -ENOSYS,
			     "this libcurl lacks an option that downloads need; 7.85 or "
			     "later has it")
		   : 0;
}

/* One request. 0: it came to its end; -EAGAIN: it broke, and another one may go on. */
static int attempt(struct run *r)
{
	bool local = is_scheme(r->p->url, "file:");
	char range[32];
	CURLcode code;
	long status = 0;

	if (local && r->have && restart(r))
		return -EIO;
	snprintf(range, sizeof(range), "%llu-", (unsigned long long)r->have);
	if (curl_easy_setopt(r->curl, CURLOPT_RANGE, r->have ? range : NULL))
		return err_set(&r->err, -ENOMEM, "%s: out of memory", r->p->url);
	r->answered = false;
	r->announced = 0;
	r->range_start = UINT64_MAX;
	r->curl_said[0] = '\0';
	code = curl_easy_perform(r->curl);
	curl_easy_getinfo(r->curl, CURLINFO_RESPONSE_CODE, &status);
	if (r->rc)
		return r->rc;
	if (code == CURLE_OK)
		return 0;
	/* There is nothing behind what we have: it is all, or was never a part of this file. */
	if (status == 416 && r->have)
		return 0;
	if (code == CURLE_UNSUPPORTED_PROTOCOL)
		return err_set(&r->err, -EPROTONOSUPPORT,
			       "%s: only http, https and file are downloaded from%s "
			       "(%s)",
			       r->p->url,
			       is_scheme(r->p->url, "http") ? ", and the server redirects "
							      "elsewhere"
							    : "",
			       r->curl_said[0] ? r->curl_said : curl_easy_strerror(code));
	err_set(&r->err, -EIO, "%.200s cannot be downloaded: %.200s%s", r->p->url,
		r->curl_said[0] ? r->curl_said : curl_easy_strerror(code),
		r->have ? "; try again later, it goes on where it stopped" : "");
	return r->answered ? -EAGAIN : -EIO;
}

static int check(struct run *r)
{
	char hex[DIGEST_HEX + 1];
	int rc = 0;

	if (r->p->size && r->have != r->p->size)
		rc = err_set(&r->err, -EBADMSG,
			     "%s has %llu bytes, not the %llu it should have: it is another "
			     "file now; ask its author for the new sum",
			     r->p->url, (unsigned long long)r->have,
			     (unsigned long long)r->p->size);
	else if (digest_end(&r->digest, hex))
		rc = err_set(&r->err, -EIO, "OpenSSL cannot make the digest");
	else if (strcmp(hex, r->p->sha256))
		rc = err_set(&r->err, -EBADMSG,
			     "%.200s is not what was asked for: its SHA-256 is %s; it was "
			     "thrown away (check the address and --sha256)",
			     r->p->url, hex);
	return rc;
}

static int run(struct run *r)
{
	int rc = take_what_is_there(r), tries = 0, in_vain = 0;
	uint64_t best = r->have;
	bool had = r->have;

	if (!rc)
		rc = setup(r);
	if (rc)
		return rc;
	do {
		rc = attempt(r);
		in_vain = r->have > best ? 0 : in_vain + 1;
		best = r->have > best ? r->have : best;
	} while (rc == -EAGAIN && ++tries < ATTEMPTS_MAX && in_vain < IN_VAIN_MAX);
	if (rc == -EAGAIN)
		rc = -EIO;
	if (!rc)
		rc = check(r);
	/* What was there from last time may be of another file: once from the beginning. */
	if (rc == -EBADMSG && had) {
		r->rc = restart(r);
		rc = r->rc ? r->rc : attempt(r);
		rc = rc ? (rc == -EAGAIN ? -EIO : rc) : check(r);
	}
	if (rc == -EBADMSG && ftruncate(r->fd, 0))
		rc = err_sys(&r->err, -errno, "the download cannot be thrown away");
	return rc;
}

int pull_file(const struct pull *p, int fd, struct err *err)
{
	struct run r = { .p = p, .fd = fd };
	int rc;

	if (!is_scheme(p->url, "http://") && !is_scheme(p->url, "https://") &&
	    !is_scheme(p->url, "file://"))
		return err_set(err, -EPROTONOSUPPORT,
			       "%.200s: only http, https and file are downloaded from: "
			       "give a URL that begins with http://, https:// or file://",
			       p->url);
	if (p->size > p->max)
		return err_set(err, -EFBIG, "%.200s has %llu bytes, more than an image may have",
			       p->url, (unsigned long long)p->size);
	if (curl_global_init(CURL_GLOBAL_DEFAULT))
		return err_set(err, -ENOMEM, "libcurl does not start");
	r.curl = curl_easy_init();
	rc = r.curl ? run(&r) : err_set(&r.err, -ENOMEM, "libcurl does not start");
	if (rc)
		err_set(err, rc, "%s", r.err.msg);
	digest_fini(&r.digest);
	curl_easy_cleanup(r.curl);
	curl_global_cleanup();
	return rc;
}
