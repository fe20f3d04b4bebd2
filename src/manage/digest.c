/* SPDX-License-Identifier: Apache-2.0 */
#include "manage/digest.h"

#include <ctype.h>
#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

int digest_init(struct digest *d, struct err *err)
{
	d->ctx = EVP_MD_CTX_new();
	if (!d->ctx || !EVP_DigestInit_ex(d->ctx, EVP_sha256(), NULL)) {
		digest_fini(d);
		return err_set(err, -ENOMEM, "OpenSSL cannot make a SHA-256 digest");
	}
	return 0;
}

void digest_fini(struct digest *d)
{
	EVP_MD_CTX_free(d->ctx);
	d->ctx = NULL;
}

int digest_add(struct digest *d, const void *data, size_t len)
{
	return EVP_DigestUpdate(d->ctx, data, len) ? 0 : -EIO;
}

int digest_end(struct digest *d, char hex[DIGEST_HEX + 1])
{
	unsigned char sum[EVP_MAX_MD_SIZE];
	unsigned len = 0;

	if (!EVP_DigestFinal_ex(d->ctx, sum, &len) || len != DIGEST_HEX / 2)
		return -EIO;
	for (unsigned i = 0; i < len; i++)
		snprintf(hex + 2 * i, 3, "%02x", sum[i]);
	return 0;
}

bool digest_parse(const char *text, char hex[DIGEST_HEX + 1])
{
	if (!strncmp(text, "sha256:", 7))
		text += 7;
	if (strlen(text) != DIGEST_HEX)
		return false;
	for (int i = 0; i < DIGEST_HEX; i++) {
		if (!isxdigit((unsigned char)text[i]))
			return false;
		hex[i] = (char)tolower((unsigned char)text[i]);
	}
	hex[DIGEST_HEX] = '\0';
	return true;
}
