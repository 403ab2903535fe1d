/* check_json_plain.c - check_json once more, as it is where there is no SSE2. */
#undef __SSE2__
#include "../../common/text/json.c" // NOLINT(bugprone-suspicious-include): in place of the library's
#include "check_json.c"     // NOLINT(bugprone-suspicious-include)
