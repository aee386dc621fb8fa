"""One run of a queue of Python's between processes; prints its outcome as JSON."""

import json
import multiprocessing
import resource
import struct
import sys
import time

what, load, producers, consumers, capacity, size, items = sys.argv[1:]
producers, consumers, capacity, size, items = map(int, (producers, consumers, capacity, size, items))
BATCH = 32
context = multiprocessing.get_context("fork")


def new():
    if what == "SimpleQueue":
        return context.SimpleQueue()
    if what == "faster_fifo":
        import faster_fifo

        return faster_fifo.Queue(max_size_bytes=max(capacity * (size + 128), 1 << 16))
    return context.Queue(capacity)


def put(queue, item):
    # faster_fifo gives up after 10 seconds unless told otherwise.
    queue.put(item, timeout=1e6) if what == "faster_fifo" else queue.put(item)


def get(queue):
    return queue.get(timeout=1e6) if what == "faster_fifo" else queue.get()


def pack(number):
    return number if size == 8 else struct.pack("<q", number).ljust(size, b"\0")


def unpack(item):
    return item if size == 8 else struct.unpack_from("<q", item)[0]


def spent():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def produce(queue, out, start, which):
    start.wait()
    begin, cpu = time.monotonic(), spent()
    numbers = range(items * which // producers, items * (which + 1) // producers)
    if load == "batch":
        for first in range(numbers.start, numbers.stop, BATCH):
            batch = list(range(first, min(first + BATCH, numbers.stop)))
            queue.put_many(batch, timeout=1e6)
    else:
        for number in numbers:
            put(queue, pack(number))
    if what == "Queue":
        # Its feeder thread still holds what was put: wait until it has written it.
        queue.close()
        queue.join_thread()
    out.send((begin, time.monotonic(), spent() - cpu))


def consume(queue, out, start):
    start.wait()
    begin, cpu = time.monotonic(), spent()
    count = total = 0
    ordered, last, open_ = True, -1, True
    while open_:
        batch = queue.get_many(timeout=1e6, max_messages_to_get=BATCH) if load == "batch" else [get(queue)]
        for number in map(unpack, batch):
            if number < 0:
                # Taken with others' stops, or the only one: pass on what is not ours.
                open_ = False
                for _ in range(sum(1 for n in batch if unpack(n) < 0) - 1):
                    put(queue, pack(-1))
                break
            count += 1
            total += number
            ordered &= number > last
            last = number
    out.send((begin, time.monotonic(), spent() - cpu, count, total, ordered))


def pong(there, back):
    for _ in range(items):
        put(back, get(there))


def stream():
    queue, start = new(), context.Event()
    work = [(consume, (queue,)) for _ in range(consumers)]
    work += [(produce, (queue,)) for _ in range(producers)]
    ends, workers = [], []
    for index, (part, args) in enumerate(work):
        mine, theirs = context.Pipe(False)
        extra = (index - consumers,) if part is produce else ()
        worker = context.Process(target=part, args=(*args, theirs, start, *extra))
        worker.start()
        ends.append(mine)
        workers.append(worker)
    time.sleep(0.05)
    start.set()
    seen = [end.recv() for end in ends[consumers:]]
    for _ in range(consumers):
        put(queue, pack(-1))
    taken = [end.recv() for end in ends[:consumers]]
    for worker in workers:
        worker.join()
    count = sum(report[3] for report in taken)
    if count != items:
        return {"Err": f"lost {items - count} of {items} items"}
    if sum(report[4] for report in taken) != items * (items - 1) // 2:
        return {"Err": "damaged or doubled items"}
    if producers == 1 and not all(report[5] for report in taken):
        return {"Err": "items of one producer out of order"}
    reports = seen + [report[:3] for report in taken]
    seconds = max(r[1] for r in reports) - min(r[0] for r in reports)
    cpu = sum(r[2] for r in reports) / items * 1e6
    return {"Ok": {"value": items / seconds / 1e6, "seconds": seconds, "cpu": cpu}}


def ping():
    there, back = new(), new()
    worker = context.Process(target=pong, args=(there, back))
    worker.start()
    times, begin = [], time.monotonic()
    for number in range(items):
        before = time.perf_counter_ns()
        put(there, number)
        if get(back) != number:
            return {"Err": "another item came back"}
        times.append(time.perf_counter_ns() - before)
    seconds = time.monotonic() - begin
    worker.join()
    times.sort()
    at = lambda part: times[int((len(times) - 1) * part)]
    return {"Ok": {"value": at(0.5), "seconds": seconds, "p99": at(0.99)}}


print(json.dumps(ping() if load == "ping" else stream()), flush=True)
