/* check_csv_plain.c - check_csv once more, with the row framing as it is where there is no SSE2. */
#undef __SSE2__
// NOLINTNEXTLINE(bugprone-suspicious-include): in place of the library's
#include "../../common/text/csv.c"
#include "check_csv.c" // NOLINT(bugprone-suspicious-include)
