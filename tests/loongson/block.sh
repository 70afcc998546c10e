#!/bin/bash
# SPDX-License-Identifier: MIT
# block.sh - the hardware back end on the registers of a Loongson-3
# timeout: 420
. tests/loongson/lib.sh

boot 4
relay "block" 0 /snoo/loongson/test_block
done_testing
