/* SPDX-License-Identifier: MIT */
/* test_stats_regs.c - what is shown of the machine's registers is what is so */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "daemon/stats.h"
#include "tests/lib/regshome.h"

/* ---- cores, words ---- */

static void test_status_shows_what_went_where(void **state)
{
	struct regshome *t = *state;
	struct stats_filter all = { .domain = NULL };
	json_t *o, *regs, *core;

	regshome_join_two(t, 2);
	assert_int_equal(fakeregs_send(&t->x[0], 1, 0, 8), 0);
	regshome_expect(t, 1, 0, 0, 8);
	o = stats_status(&t->h.sh, &all);
	regs = json_object_get(o, "registers");
	assert_string_equal(json_string_value(json_object_get(regs, "in_use")),
			    "hardware");
	assert_string_equal(json_string_value(json_object_get(regs, "backend")),
			    "emul");
	assert_int_equal(json_integer_value(json_object_get(regs, "messages")),
			 1);
	assert_true(json_integer_value(json_object_get(regs, "words")) >= 6);
	assert_true(json_integer_value(json_object_get(regs, "message_ns")) >
		    0);
	assert_true(json_integer_value(json_object_get(regs, "cores")) >= 2);
	json_decref(o);
	/* A word on its way, and what a kernel may leave. */
	regshome_sleep(t);
	atomic_store(
		&((struct hal_block *)regshome_service(t)->blocks)[1].mail[3],
		UINT64_C(0x98000000022afeb0));
	o = stats_registers(&t->h.sh, &all);
	core = json_array_get(json_object_get(o, "cores"), 1);
	assert_int_equal(json_integer_value(json_object_get(core, "cpu")), 1);
	core = json_array_get(json_object_get(core, "mailboxes"), 2);
	assert_string_equal(json_string_value(json_object_get(core, "name")),
			    "garbage: a kernel address");
	assert_string_equal(json_string_value(json_object_get(core, "word")),
			    "a kernel address");
	json_decref(o);
	regshome_pump(t);
}

static void test_a_word_says_whose_it_is(void **state)
{
	struct regshome *t = *state;
	struct stats_filter all = { .domain = NULL };
	bool data = false;

	regshome_join_two(t, 2);
	assert_int_equal(fakeregs_put(&t->x[0], 1, 0, 8), 0);
	/* By hand, so that a word lies where it can be seen. */
	assert_int_equal(regs_ring_look(t->h.d), 1);
	regs_take(regshome_rank(t, 0)->regs, 1);
	{
		struct mail_message m = { .from = regshome_rank(t, 0)->regs->id,
					  .to = regshome_rank(t, 1)->regs->id,
					  .length = 8 };
		json_t *o, *boxes, *box;
		size_t i;

		assert_int_equal(mail_send(regshome_service(t)->mail, 0, 1, &m),
				 0);
		mail_poll(regshome_service(t)->mail);
		o = stats_registers(&t->h.sh, &all);
		boxes = json_object_get(
			json_array_get(json_object_get(o, "cores"), 1),
			"mailboxes");
		json_array_foreach(boxes, i, box) data |=
			strcmp(json_string_value(json_object_get(box, "name")),
			       "DATA regs.0 > regs.1, 8 bytes") == 0;
		json_decref(o);
	}
	assert_true(data);
	regs_wake(regshome_service(t));
	regshome_sleep(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) \
	cmocka_unit_test_setup_teardown(name, regshome_setup, regshome_teardown)
		T(test_status_shows_what_went_where),
		T(test_a_word_says_whose_it_is),
#undef T
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
