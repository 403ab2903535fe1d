/* help.h - the producer's --help. */
#ifndef PRODUCER_HELP_H
#define PRODUCER_HELP_H

/* help_print writes it to standard output. */
void help_print(void);

#endif
