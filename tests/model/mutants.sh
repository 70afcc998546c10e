#!/bin/bash
# SPDX-License-Identifier: MIT
# mutants.sh - each edge removed in turn; its model must fail
# timeout: 300
exec "$(dirname "$0")/run.sh" mutants
