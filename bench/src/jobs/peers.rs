//! Systems that people use for jobs.

use super::{Result, row, timed};
use apalis::prelude::{
    BackendExt, BoxDynError, TaskSink, WorkerBuilder, WorkerBuilderExt, WorkerContext,
};
use apalis_sqlite::{Config, SqlitePoolOptions, SqliteStorage};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

pub fn rows() {
    row(
        "yaque 0.6",
        "on disk, without fsync",
        "at restart, with up to 250 that were acked",
        |jobs| yaque(&Files::new("yaque")?.0, jobs),
    );
    row(
        "apalis 1.0, SQLite",
        "on disk, in transactions without fsync",
        "after 60 to 90 s",
        |jobs| {
            let files = Files::new("apalis")?;
            tokio::runtime::Runtime::new()?.block_on(apalis(&files.0, jobs))
        },
    );
    let system = "Python's persist-queue, `SQLiteAckQueue`";
    if python(&["-c", "import persistqueue"]).is_ok() {
        let keeps = "on disk, in transactions with fsync";
        row(system, keeps, "at restart", |jobs| {
            let files = Files::new("persist-queue")?;
            let path = files.0.to_str().ok_or("the path is no UTF-8")?;
            let seconds = python(&["-c", PERSIST_QUEUE, path, &jobs.to_string()])?;
            Ok(seconds.trim().parse()?)
        });
    } else {
        println!("\n{system} is left out: `python3` cannot import `persistqueue`.");
    }
    // The price of an fsync is that of the disk; in memory it is free.
    let place = std::env::temp_dir();
    let place = place.display();
    println!("\nThe files lay in {place}; `TMPDIR` moves them.");
}

fn yaque(directory: &Path, jobs: u64) -> Result<f64> {
    let (mut sender, mut receiver) = yaque::channel(directory)?;
    timed(|| {
        for job in 0..jobs {
            let sent = sender.try_send(job.to_le_bytes());
            sent.map_err(|error| error.to_string())?;
            let job = receiver.try_recv();
            job.map_err(|error| format!("{error:?}"))?.commit()?;
        }
        Ok(())
    })
}

/// The producer and the worker are two tasks; it ends when the worker has.
async fn apalis(directory: &Path, jobs: u64) -> Result<f64> {
    let url = format!("sqlite://{}?mode=rwc", directory.join("jobs.db").display());
    // `setup` turns fsync off, but for one connection alone. Of the default ten the others would
    // wait for the disk, so there are no others.
    let pool = SqlitePoolOptions::new().max_connections(1);
    let pool = pool.connect(&url).await?;
    SqliteStorage::setup(&pool).await?;
    // By default a worker takes ten jobs at a time.
    let config = Config::default().batch_size(1);
    let mut producer = SqliteStorage::<u64>::new(&pool).with_config(config);
    // The worker looks at once while it finds jobs, and the producer stays ahead of it, so
    // that the interval does not count.
    let source = (producer.clone()).poll_with_interval(Duration::from_millis(1));
    // Jobs of the same millisecond come in any order, so that only a count tells the last one.
    let done = Arc::new(AtomicU64::new(0));
    let handle = move |_: u64, worker: WorkerContext| {
        let is_last = done.fetch_add(1, Ordering::Relaxed) + 1 == jobs;
        async move {
            if is_last {
                worker.stop()?;
            }
            Ok::<(), BoxDynError>(())
        }
    };
    let worker = WorkerBuilder::new("worker").backend(source).concurrency(1);
    let start = Instant::now();
    let producer = tokio::spawn(async move {
        for job in 0..jobs {
            producer.push(job).await?;
        }
        Result::Ok(())
    });
    worker.build(handle).run().await?;
    producer.await??;
    Ok(start.elapsed().as_secs_f64())
}

/// It prints the seconds that it took.
const PERSIST_QUEUE: &str = "
import sys, time, persistqueue
queue = persistqueue.SQLiteAckQueue(sys.argv[1])
start = time.monotonic()
for job in range(int(sys.argv[2])):
    queue.put(job)
    queue.ack(queue.get())
print(time.monotonic() - start)
";

/// What a script prints.
fn python(arguments: &[&str]) -> Result<String> {
    let out = Command::new("python3").args(arguments).output()?;
    if !out.status.success() {
        return Err(String::from_utf8_lossy(&out.stderr).into());
    }
    Ok(String::from_utf8(out.stdout)?)
}

/// A directory for the files of one run, which goes with it.
struct Files(PathBuf);

impl Files {
    fn new(system: &str) -> Result<Self> {
        let name = format!("family-bench-{system}-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
