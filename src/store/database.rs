//! The database behind the state: a SQLite file by default, PostgreSQL by configuration. All in which they differ stands
//! here: how they are opened, how their writers wait for one another, and the words of SQL they do not share.
//! The queries themselves are the same text for both.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use metrics::{counter, histogram};
use sqlx::any::{Any, AnyConnectOptions, AnyPoolOptions, AnyRow};
use sqlx::{AnyPool, Connection, Executor, Row, Transaction};

use super::schema;

/// A transaction of either database.
pub(super) type Write<'a> = Transaction<'a, Any>;
/// A row of either database.
pub(super) type Found = AnyRow;

/// How long a statement waits for somebody else's lock, and a caller for a connection.
const PATIENCE: Duration = Duration::from_secs(10);
const READERS: u32 = 4;
/// A connection that was used so lately is taken for a good one.
const FRESH: Duration = Duration::from_secs(1);

/// Which of the two it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Sqlite,
    Postgres,
}

/// An open database whose schema is this program's.
#[derive(Clone)]
pub(super) struct Database {
    pub kind: Kind,
    /// For reading.
    pub pool: AnyPool,
    /// For writing. SQLite lets one write at a time: its one connection is a queue in which each waits its turn, where
    /// several would wake up by chance after ever longer naps.
    pub writer: AnyPool,
    /// Where it is, for people.
    pub place: String,
}

impl Database {
    /// The file `folder/truetill.db`, made where there is none; copied aside before its schema is changed.
    pub async fn file(folder: &Path) -> anyhow::Result<Database> {
        std::fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
        let folder = folder.canonicalize().with_context(|| format!("finding {}", folder.display()))?;
        let path = folder.join("truetill.db");
        let options: AnyConnectOptions = file_url(&path)?.parse()?;
        // One program at a time makes the file and brings it up to date; SQLite has no lock that spans both.
        let _alone = locked(folder.join("truetill.lock")).await?;
        let writer = lite(1).connect_with(options.clone()).await?;
        schema::migrate_file(&writer, &folder).await?;
        let pool = lite(READERS).connect_with(options).await?;
        Ok(Database { kind: Kind::Sqlite, pool, writer, place: path.display().to_string() })
    }

    /// A database that is gone when it is dropped.
    pub async fn memory() -> anyhow::Result<Database> {
        sqlx::any::install_default_drivers();
        // One connection: each connection to `:memory:` is a database of its own.
        let pool = lite(1).connect("sqlite::memory:").await?;
        schema::migrate(&pool, Kind::Sqlite).await?;
        Ok(Database { kind: Kind::Sqlite, writer: pool.clone(), pool, place: "memory".to_string() })
    }

    /// A database of a PostgreSQL server.
    pub async fn server(url: &str, connections: u32) -> anyhow::Result<Database> {
        if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
            bail!("store.url must begin with postgres://; leave it empty for SQLite in paths.state");
        }
        sqlx::any::install_default_drivers();
        // The text of the error could hold the password.
        let options: AnyConnectOptions = url.parse().map_err(|_| anyhow::anyhow!("store.url is not an address"))?;
        let pool = AnyPoolOptions::new().max_connections(connections.max(1)).acquire_timeout(PATIENCE);
        // Asking each time whether the server is still there would double what a statement takes.
        let pool = pool.test_before_acquire(false).before_acquire(|connection, used| {
            Box::pin(async move {
                if used.idle_for >= FRESH {
                    connection.ping().await?;
                }
                Ok(true)
            })
        });
        let pool = counted(pool).after_connect(|connection, _| {
            Box::pin(async move {
                // Each guarantee of this module is argued for this level; the server's own default may be another.
                let settings = "SET default_transaction_isolation = 'read committed'; SET lock_timeout = '10s'";
                connection.execute(settings).await.map(|_| ())
            })
        });
        let pool = pool.connect_with(options).await.context("store.url: the server does not let us in")?;
        let server = sqlx::query(
            "SELECT current_setting('server_encoding') AS encoding, current_setting('server_version') AS version,
             CAST(current_database() AS TEXT) AS name",
        );
        let server = server.fetch_one(&pool).await?;
        let told = |column: &str| server.try_get::<String, _>(column);
        ensure!(told("encoding")? == "UTF8", "the database's encoding is not UTF8: make it anew with ENCODING 'UTF8'");
        let place = format!("PostgreSQL {}, database {}", told("version")?, told("name")?);
        schema::migrate(&pool, Kind::Postgres).await?;
        Ok(Database { kind: Kind::Postgres, writer: pool.clone(), pool, place })
    }

    /// Begins a transaction that writes. In SQLite nobody else writes until it ends. In PostgreSQL others do: what it
    /// decides must stand in the condition of its own statements, or behind [`Database::alone`].
    pub async fn begin(&self) -> anyhow::Result<Write<'static>> {
        let asked = Instant::now();
        let begun = match self.kind {
            // A transaction that read first and wrote later could be refused.
            Kind::Sqlite => self.writer.begin_with("BEGIN IMMEDIATE").await?,
            Kind::Postgres => self.writer.begin().await?,
        };
        histogram!("truetill_store_wait_seconds").record(asked.elapsed().as_secs_f64());
        Ok(begun)
    }

    /// From here to its end nobody else is in a transaction that asked for the same name.
    pub async fn alone(&self, transaction: &mut Write<'_>, name: &str) -> anyhow::Result<()> {
        if self.kind == Kind::Postgres {
            let lock = sqlx::query("SELECT 1 FROM pg_advisory_xact_lock(hashtextextended($1, 7070))");
            lock.bind(name).execute(&mut **transaction).await?;
        }
        Ok(())
    }

    /// The words this database understands.
    pub fn says(&self, sqlite: &'static str, postgres: &'static str) -> &'static str {
        match self.kind {
            Kind::Sqlite => sqlite,
            Kind::Postgres => postgres,
        }
    }
}

pub(super) fn lite(connections: u32) -> AnyPoolOptions {
    let pool = AnyPoolOptions::new().max_connections(connections).acquire_timeout(PATIENCE);
    let pool = pool.idle_timeout(None).max_lifetime(None).test_before_acquire(false);
    counted(pool).after_connect(|connection, _| {
        Box::pin(async move {
            // `FULL`: "done" is told once the commit returns, so it must outlive a power cut.
            let settings = "PRAGMA busy_timeout = 10000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL";
            connection.execute(settings).await.map(|_| ())
        })
    })
}

/// Counts how often the database is gone to: with a statement by itself, or with a transaction.
fn counted(pool: AnyPoolOptions) -> AnyPoolOptions {
    pool.after_release(|_, _| {
        counter!("truetill_store_visits_total").increment(1);
        Box::pin(async { Ok(true) })
    })
}

async fn locked(path: PathBuf) -> anyhow::Result<File> {
    let named = path.display().to_string();
    let locking = move || File::create(&path).and_then(|file| file.lock().map(|()| file));
    tokio::task::spawn_blocking(locking).await?.with_context(|| format!("locking {named}"))
}

pub(super) fn file_url(path: &Path) -> anyhow::Result<String> {
    sqlx::any::install_default_drivers();
    let path = path.to_str().with_context(|| format!("{} is not UTF-8", path.display()))?;
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"/._-".contains(byte);
    let encoded: String = path
        .bytes()
        .map(|byte| if plain(&byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect();
    Ok(format!("sqlite://{encoded}?mode=rwc"))
}
