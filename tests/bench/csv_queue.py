"""csv_queue.py FILE - the classroom way: a thread reads the rows of FILE into a queue of 1000, another takes them out, and looks at every field."""
import csv
import queue
import sys
import threading


def read(path, rows):
    with open(path, newline="") as file:
        for row in csv.reader(file):
            rows.put(row)
    rows.put(None)


def work(rows):
    count = fields = 0
    while (row := rows.get()) is not None:
        count += 1
        for field in row:
            fields += len(field)
    print(count - 1, "rows,", fields, "characters")


rows = queue.Queue(1000)
reader = threading.Thread(target=read, args=(sys.argv[1], rows))
reader.start()
work(rows)
reader.join()
