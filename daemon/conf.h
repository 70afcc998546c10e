/* SPDX-License-Identifier: MIT */
/*
 * conf.h - snoo.json as plain data
 *
 * Every key has a default, so no file is needed.  One table (conf_keys.c)
 * says what a key is, what it may be and whether it can change while the
 * daemon runs; reading, writing and comparing walk that table, and a test
 * compares it with config/snoo.schema.json.  snoo.json(5) explains each key.
 *
 * Strings are never NULL.  Where an empty string in the file means "derive
 * it", the struct holds what was derived.
 */
#ifndef DAEMON_CONF_H
#define DAEMON_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json_t;

#define CONF_NAME_MAX	63		/* bytes of a domain's or job's name */
#define CONF_AUTO	UINT32_MAX	/* a number that the daemon chooses */
#define CONF_NO_GID	UINT32_MAX	/* leave the group alone */

enum conf_role		{ CONF_ROLE_AUTO, CONF_ROLE_HOST, CONF_ROLE_GUEST };
enum conf_registers	{ CONF_REGS_AUTO, CONF_REGS_HARDWARE, CONF_REGS_LINES };
enum conf_hal		{ CONF_HAL_AUTO, CONF_HAL_EMUL, CONF_HAL_LOONGSON };
enum conf_placement	{ CONF_PLACE_COMPACT, CONF_PLACE_SPREAD,
			  CONF_PLACE_NONE };
enum conf_huge		{ CONF_HUGE_AUTO, CONF_HUGE_REQUIRE, CONF_HUGE_NEVER };
enum conf_keeper	{ CONF_KEEPER_AUTO, CONF_KEEPER_SYSTEMD,
			  CONF_KEEPER_PROCESS, CONF_KEEPER_NONE };
enum conf_switch	{ CONF_SWITCH_AUTO, CONF_SWITCH_ON, CONF_SWITCH_OFF };

struct conf_socket {
	char *path;		/* derived: runtime_dir/NAME */
	uint32_t mode;		/* permission bits */
	char *group;		/* "": leave it */
	uint32_t gid;		/* of group; CONF_NO_GID */
};

#define CONF_LARGE_FEW	16u	/* of its blocks_per_rank.large a rank may have so
				 * many, and more while the pool has them for all */
#define CONF_EAGER_USUAL	65536u	/* the default of eager_bytes */

/* For blocks and rings that come in two sizes. */
struct conf_pair {
	uint32_t small;
	uint32_t large;
};

/* "name or glob": value; the first that matches counts. */
struct conf_rules {
	struct conf_rule {
		char *glob;
		uint64_t value;
	} *rule;
	unsigned int n;
};

struct conf_ids {
	uint32_t *id;
	unsigned int n;
};

/* "user" or "user:group": a user of this system, and one of its groups. */
struct conf_owner {
	char *name;		/* "": nobody in particular */
	uint32_t uid;		/* CONF_NO_GID for "" */
	uint32_t gid;		/* the same */
};

struct conf_strings {
	char **s;
	unsigned int n;
};

/* Sizes that "snooctl tune" may choose, and where each comes from. */
enum conf_size		{ CONF_EAGER, CONF_STREAM, CONF_SMALL, CONF_LARGE,
			  CONF_SIZES };
enum conf_from		{ CONF_DEFAULT, CONF_TUNED, CONF_CONFIGURED };

struct conf_domain {
	char *name;
	uint8_t size_from[CONF_SIZES];	/* enum conf_from */
	struct conf_socket socket;	/* runtime_dir/NAME.sock */
	struct {
		uint64_t size_bytes;	/* a power of two */
		uint32_t huge_pages;	/* enum conf_huge */
		/* In the order of a conf_socket, which has a group too. */
		char *path;		/* "": a memfd */
		uint32_t mode;		/* permission bits of that file */
		char *group;		/* "": leave it */
		uint32_t gid;		/* of group; CONF_NO_GID */
		struct conf_owner holder_user;	/* QEMU's user */
	} pool;
	struct {
		struct conf_socket socket;  /* runtime_dir/NAME.ivshmem.sock */
		char *control_path;	/* runtime_dir/NAME.control.sock */
		uint32_t slots;		/* with slot 0; 1: no VM may attach */
		uint32_t vectors;	/* per slot; QEMU's vectors= */
		bool pin_vcpus;
		bool host_bells;	/* eventfds also without a guest */
	} ivshmem;
	uint32_t ranks_max;
	uint32_t job_ranks_max;		/* for jobs of no stated size */
	uint32_t eager_bytes;
	uint32_t stream_bytes;		/* of streams, on their way to a rank */
	struct conf_pair block_bytes;
	struct conf_pair blocks_per_rank;
	struct conf_pair ring_bytes;
	bool single_copy;		/* out of the sender's memory */
	uint32_t spin_us;		/* CONF_AUTO: what was measured */
	uint32_t weight_default;	/* of a job or VM that no rule names */
	struct conf_rules weights;	/* conf_weight() */
	struct conf_rules rate_limits;	/* bytes/s: conf_rate_limit() */
	struct {
		struct conf_ids uids;	/* may use verbs on this domain */
		struct conf_ids gids;
	} admins;
};

struct conf {
	struct {			/* what was measured: conf_tuned.h */
		char *path;		/* "": not looked for */
		char *why_not;		/* NULL: in force, or not there */
		bool in_force;
	} tuned;
	char *runtime_dir;
	uint32_t role;			/* enum conf_role */
	uint32_t log_level;		/* enum log_level */
	uint32_t registers;		/* enum conf_registers */
	bool registers_in_guest;	/* in a VM too, with hal: loongson */
	uint32_t hal;			/* enum conf_hal */
	uint32_t keeper;		/* enum conf_keeper */
	uint32_t telemetry;		/* enum conf_switch: BPF */
	uint32_t seccomp;		/* enum conf_switch */
	struct conf_socket admin_socket;	/* runtime_dir/admin.sock */
	struct {
		uint32_t policy;	/* enum conf_placement */
		bool pin;
	} placement;
	struct {
		uint32_t handshake_ms;
		uint32_t handshakes_per_uid;
		uint32_t admin_line_bytes;
		uint32_t admin_clients;
	} limits;
	struct {
		uint32_t quantum_bytes;
		uint32_t round_ms;
		uint32_t contended_ms;
	} scheduler;
	struct {
		char *data_device;	/* PCI address; "": look for it */
		char *control_device;
		char *dax_device;	/* "/dev/dax0.0"; "": look for it */
		struct {		/* programs that the host may start */
			struct conf_strings programs;	/* none: off */
			char *user;		/* that they run as; not root */
			struct conf_strings env; /* "NAME", "NAME=VALUE" */
			bool home;		/* start there, not in / */
			struct {
				uint32_t processes;	/* at a time */
				uint32_t nofile;
				uint64_t as_bytes;	/* 0: no limit */
				uint32_t nice;
			} limits;
		} run;
	} guest;

	struct conf_domain *domains;
	unsigned int ndomains;		/* at least 1 */
};

/**
 * struct conf_overrides - What the command line says; stronger than the file
 *
 * NULL or 0 means not given.  Values that are no JSON are taken as strings,
 * so --set log_level=debug needs no quotes.  A path's member with a dot in it
 * stands in double quotes: domains."lab.a".ranks_max=8
 */
struct conf_overrides {
	const char *runtime_dir;
	const char *log_level;
	const char *domain;	/* serve this domain alone; may be new */
	const char *pool_size;	/* of every domain served */
	const char *tuned;	/* file of "snooctl tune"; NULL or "": none */
	const char *const *sets;	/* "key.path=value" */
	unsigned int nsets;
};

/**
 * conf_load() - Read, check, complete
 * @out:	The configuration, NULL on failure; end it with conf_close()
 * @path:	File; NULL: defaults alone
 * @ov:		May be NULL
 * @errors:	On failure malloc'd text, one line per mistake:
 *		"file:line:column: path: what is wrong; what is allowed".
 *		NULL on success.
 *
 * Return: 0 on success, negative error code otherwise
 *	-EINVAL	 the file or an override is wrong
 *	-ENOMEM, or -errno of reading the file
 */
int conf_load(struct conf **out, const char *path,
	      const struct conf_overrides *ov, char **errors);
void conf_close(struct conf *c);

/**
 * conf_check() - For --check-config: "PATH: OK" on stdout, or every mistake on
 *		  stderr
 *
 * Return: as conf_load()
 */
int conf_check(const char *path, const struct conf_overrides *ov);

/* All keys with the values in force; new reference, NULL: no memory. */
struct json_t *conf_dump(const struct conf *c);

/**
 * struct conf_change - One difference between two configurations
 */
struct conf_change {
	char *path;		/* "domains.default.weights" */
	char *before;		/* JSON, "null" for what was not there */
	char *after;
	bool live;		/* false: takes a restart */
};

/**
 * conf_diff() - What a reload would change
 * @out:	Array of @n changes; free with conf_diff_free()
 *
 * Return: 0 or -ENOMEM
 */
int conf_diff(const struct conf *before, const struct conf *after,
	      struct conf_change **out, unsigned int *n);
void conf_diff_free(struct conf_change *change, unsigned int n);

/**
 * conf_apply() - Carry over what can change at run time
 * @fresh:	Gets the old values in exchange; to be closed, not to be used
 *
 * Values that take a restart stay as they are, domains stay where they are
 * (pointers to them remain good, pointers to their strings and rules do not).
 * Domains that only @fresh has are left out.  A live value that does
 * not go with an old one that stays is cut down to it.
 */
void conf_apply(struct conf *running, struct conf *fresh);

/* NULL: no such domain. */
const struct conf_domain *conf_domain_find(const struct conf *c,
					   const char *name);

/* "block_bytes.large"; "default", "tuned" or "configured". */
const char *conf_size_key(unsigned int size);
const char *conf_size_from(const struct conf_domain *d, unsigned int size);

/* Of the first rule that matches, else weight_default, 0 (no limit).  @name is
 * a job's, or "slot:3" for the VM in slot 3 (no job's name has a colon). */
uint32_t conf_weight(const struct conf_domain *d, const char *name);
uint64_t conf_rate_limit(const struct conf_domain *d, const char *name);
/* The same for a job whose ranks all are in the VM in @slot (0: they are not):
 * of the first rule that matches either name. */
uint32_t conf_weight_in(const struct conf_domain *d, const char *job,
			uint32_t slot);
uint64_t conf_rate_limit_in(const struct conf_domain *d, const char *job,
			    uint32_t slot);

/* 0, or -ENOENT: no such user or group.  "" is nobody, CONF_NO_GID twice. */
int conf_owner_find(const char *name, uint32_t *uid, uint32_t *gid);

/* [A-Za-z0-9._-]{1,63}, and not "." or "..": it becomes a file's name. */
bool conf_name_ok(const char *name);

/* Where sockets are when nobody says: /run/snoo as root, else
 * $XDG_RUNTIME_DIR/snoo, else /tmp/snoo-UID.  malloc'd, NULL: no memory. */
char *conf_default_runtime_dir(void);

/* "64M", "2G", "4096": 0, or -EINVAL / -ERANGE; @out is untouched then. */
int conf_parse_bytes(const char *text, uint64_t *out);

/* The names behind the enums, as in the file. */
const char *conf_role_name(uint32_t role);
const char *conf_registers_name(uint32_t registers);
const char *conf_hal_name(uint32_t hal);
const char *conf_placement_name(uint32_t policy);
const char *conf_huge_name(uint32_t huge);
const char *conf_keeper_name(uint32_t keeper);

#endif
