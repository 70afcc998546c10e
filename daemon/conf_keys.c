/* SPDX-License-Identifier: MIT */
/*
 * conf_keys.c - every key of snoo.json: type, default, range, when it changes
 *
 * config/snoo.schema.json and snoo.json(5) say the same; a test compares.
 */
#include "daemon/conf_keys.h"

#include "daemon/log.h"

#define K	(UINT64_C(1) << 10)
#define M	(UINT64_C(1) << 20)
#define G	(UINT64_C(1) << 30)
#define T	(UINT64_C(1) << 40)

static const struct conf_word roles[] = {
	{ "auto",	CONF_ROLE_AUTO },
	{ "host",	CONF_ROLE_HOST },
	{ "guest",	CONF_ROLE_GUEST },
	{ NULL, 0 },
};

static const struct conf_word levels[] = {
	{ "error",	LOG_LEVEL_ERROR },
	{ "warning",	LOG_LEVEL_WARNING },
	{ "info",	LOG_LEVEL_INFO },
	{ "debug",	LOG_LEVEL_DEBUG },
	{ NULL, 0 },
};

static const struct conf_word registers[] = {
	{ "auto",	CONF_REGS_AUTO },
	{ "hardware",	CONF_REGS_HARDWARE },
	{ "lines",	CONF_REGS_LINES },
	{ NULL, 0 },
};

static const struct conf_word hals[] = {
	{ "auto",	CONF_HAL_AUTO },
	{ "emul",	CONF_HAL_EMUL },
	{ "loongson",	CONF_HAL_LOONGSON },
	{ NULL, 0 },
};

static const struct conf_word keepers[] = {
	{ "auto",	CONF_KEEPER_AUTO },
	{ "systemd",	CONF_KEEPER_SYSTEMD },
	{ "process",	CONF_KEEPER_PROCESS },
	{ "none",	CONF_KEEPER_NONE },
	{ NULL, 0 },
};

static const struct conf_word switches[] = {
	{ "auto",	CONF_SWITCH_AUTO },
	{ "on",		CONF_SWITCH_ON },
	{ "off",	CONF_SWITCH_OFF },
	{ NULL, 0 },
};

static const struct conf_word policies[] = {
	{ "compact",	CONF_PLACE_COMPACT },
	{ "spread",	CONF_PLACE_SPREAD },
	{ "none",	CONF_PLACE_NONE },
	{ NULL, 0 },
};

static const struct conf_word huge[] = {
	{ "auto",	CONF_HUGE_AUTO },
	{ "require",	CONF_HUGE_REQUIRE },
	{ "never",	CONF_HUGE_NEVER },
	{ NULL, 0 },
};

/* CONF_GROUP finds the gid where a conf_socket has it. */
_Static_assert(offsetof(struct conf_domain, pool.gid) -
	       offsetof(struct conf_domain, pool.group) ==
	       offsetof(struct conf_socket, gid) -
	       offsetof(struct conf_socket, group), "conf: pool.gid moved");

/* The name of a key is the name of its field. */
#define KEY_OF(where, field, kind, text, ...)				\
	{ .path = #field, .type = (kind), .offset = offsetof(where, field), \
	  .def = (text), __VA_ARGS__ }

#define LIVE	.live = true
#define FIXED	.live = false

#define KEY(...)	KEY_OF(struct conf, __VA_ARGS__)

const struct conf_key conf_keys[] = {
	KEY(runtime_dir, CONF_PATH, "\"\"", FIXED),
	KEY(role, CONF_ENUM, "\"auto\"", FIXED, .words = roles),
	KEY(log_level, CONF_ENUM, "\"info\"", LIVE, .words = levels),
	KEY(registers, CONF_ENUM, "\"auto\"", FIXED, .words = registers),
	KEY(hal, CONF_ENUM, "\"auto\"", FIXED, .words = hals),
	KEY(registers_in_guest, CONF_BOOL, "false", FIXED),
	KEY(keeper, CONF_ENUM, "\"auto\"", FIXED, .words = keepers),
	KEY(telemetry, CONF_ENUM, "\"auto\"", FIXED, .words = switches),
	KEY(seccomp, CONF_ENUM, "\"auto\"", FIXED, .words = switches),

	KEY(admin_socket.path, CONF_PATH, "\"\"", FIXED),
	KEY(admin_socket.mode, CONF_MODE, "\"0600\"", FIXED),
	KEY(admin_socket.group, CONF_GROUP, "\"\"", FIXED),

	KEY(placement.policy, CONF_ENUM, "\"compact\"",
	    LIVE, .words = policies),
	KEY(placement.pin, CONF_BOOL, "true", LIVE),

	KEY(limits.handshake_ms, CONF_INT, "2000",
	    LIVE, .min = 10, .max = 600000),
	KEY(limits.handshakes_per_uid, CONF_INT, "1",
	    LIVE, .min = 1, .max = 1024),
	KEY(limits.admin_line_bytes, CONF_SIZE32, "\"64K\"",
	    LIVE, .min = 4 * K, .max = 16 * M),
	KEY(limits.admin_clients, CONF_INT, "16", LIVE, .min = 1, .max = 1024),

	KEY(scheduler.quantum_bytes, CONF_SIZE32, "\"256K\"",
	    LIVE, .min = 4 * K, .max = G),
	KEY(scheduler.round_ms, CONF_INT, "2", LIVE, .min = 1, .max = 10000),
	KEY(scheduler.contended_ms, CONF_INT, "100",
	    LIVE, .min = 1, .max = 10000),

	KEY(guest.data_device, CONF_STRING, "\"\"", FIXED),
	KEY(guest.control_device, CONF_STRING, "\"\"", FIXED),
	KEY(guest.dax_device, CONF_PATH, "\"\"", FIXED),
	KEY(guest.run.programs, CONF_PROGRAMS, "[]", FIXED),
	KEY(guest.run.user, CONF_STRING, "\"\"", FIXED),
	KEY(guest.run.env, CONF_ENV, "[]", FIXED),
	KEY(guest.run.home, CONF_BOOL, "false", FIXED),
	KEY(guest.run.limits.processes, CONF_INT, "64",
	    FIXED, .min = 1, .max = 1024),
	KEY(guest.run.limits.nofile, CONF_INT, "1024",
	    FIXED, .min = 16, .max = 1048576),
	KEY(guest.run.limits.as_bytes, CONF_SIZE64, "0",
	    FIXED, .min = 0, .max = T),
	KEY(guest.run.limits.nice, CONF_INT, "0", FIXED, .min = 0, .max = 19),
	{ .path = NULL },
};

#undef KEY
#define KEY(...)	KEY_OF(struct conf_domain, __VA_ARGS__)

const struct conf_key conf_domain_keys[] = {
	KEY(socket.path, CONF_PATH, "\"\"", FIXED),
	KEY(socket.mode, CONF_MODE, "\"0660\"", FIXED),
	KEY(socket.group, CONF_GROUP, "\"\"", FIXED),

	KEY(pool.size_bytes, CONF_SIZE64, "\"64M\"",
	    FIXED, .min = M, .max = T, .pow2 = true),
	KEY(pool.huge_pages, CONF_ENUM, "\"auto\"", FIXED, .words = huge),
	KEY(pool.path, CONF_PATH, "\"\"", FIXED),
	KEY(pool.mode, CONF_MODE, "\"0660\"", FIXED),
	KEY(pool.group, CONF_GROUP, "\"\"", FIXED),
	KEY(pool.holder_user, CONF_OWNER, "\"\"", FIXED),

	KEY(ivshmem.socket.path, CONF_PATH, "\"\"", FIXED),
	KEY(ivshmem.socket.mode, CONF_MODE, "\"0660\"", FIXED),
	KEY(ivshmem.socket.group, CONF_GROUP, "\"\"", FIXED),
	KEY(ivshmem.control_path, CONF_PATH, "\"\"", FIXED),
	KEY(ivshmem.slots, CONF_INT, "1", FIXED, .min = 1, .max = 64),
	KEY(ivshmem.vectors, CONF_INT, "8", FIXED, .min = 2, .max = 64),
	KEY(ivshmem.pin_vcpus, CONF_BOOL, "false", LIVE),
	KEY(ivshmem.host_bells, CONF_BOOL, "false", FIXED),

	KEY(ranks_max, CONF_INT, "256", FIXED, .min = 1, .max = 4096),
	KEY(job_ranks_max, CONF_INT, "64", LIVE, .min = 1, .max = 1024),
	KEY(eager_bytes, CONF_SIZE32, "\"64K\"",
	    LIVE, .min = 0, .max = 16 * M),
	KEY(stream_bytes, CONF_SIZE32, "\"2M\"",
	    LIVE, .min = 4 * K, .max = 128 * M),
	KEY(block_bytes.small, CONF_SIZE32, "\"16K\"",
	    FIXED, .min = 4 * K, .max = 16 * M, .pow2 = true),
	KEY(block_bytes.large, CONF_SIZE32, "\"64K\"",
	    FIXED, .min = 4 * K, .max = 16 * M, .pow2 = true),
	KEY(blocks_per_rank.small, CONF_INT, "32",
	    LIVE, .min = 0, .max = 4096),
	KEY(blocks_per_rank.large, CONF_INT, "64",
	    LIVE, .min = 0, .max = 4096),
	KEY(ring_bytes.small, CONF_SIZE32, "\"4K\"",
	    FIXED, .min = K, .max = M, .pow2 = true),
	KEY(ring_bytes.large, CONF_SIZE32, "\"64K\"",
	    FIXED, .min = K, .max = M, .pow2 = true),
	KEY(single_copy, CONF_BOOL, "true", LIVE),
	KEY(spin_us, CONF_INT_AUTO, "\"auto\"",
	    LIVE, .min = 0, .max = 1000000),

	KEY(weight_default, CONF_INT, "1", LIVE, .min = 1, .max = 1000),
	KEY(weights, CONF_WEIGHTS, "{}", LIVE, .min = 1, .max = 1000),
	KEY(rate_limits, CONF_RATES, "{}", LIVE, .min = M, .max = T),
	KEY(admins.uids, CONF_UIDS, "[]", LIVE),
	KEY(admins.gids, CONF_GIDS, "[]", LIVE),
	{ .path = NULL },
};

static const char *word_of(const struct conf_word *words, uint32_t value)
{
	for (; words->word; words++)
		if (words->value == value)
			return words->word;
	return "?";
}

const char *conf_role_name(uint32_t role)
{
	return word_of(roles, role);
}

const char *conf_registers_name(uint32_t value)
{
	return word_of(registers, value);
}

const char *conf_hal_name(uint32_t hal)
{
	return word_of(hals, hal);
}

const char *conf_placement_name(uint32_t policy)
{
	return word_of(policies, policy);
}

const char *conf_huge_name(uint32_t value)
{
	return word_of(huge, value);
}

const char *conf_keeper_name(uint32_t keeper)
{
	return word_of(keepers, keeper);
}
