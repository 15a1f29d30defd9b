//! A PostgreSQL server of the tests' own: found on the machine, started in a folder of its own on a socket of its own,
//! gone when the tests are, however they end. And the same tests once more with their state in it.

use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use sqlx::{AssertSqlSafe, Connection, Executor};
use truetill::store::StateStore;

/// Where the tests keep their state; unset: in SQLite. Any server will do, such as `postgres://postgres@localhost`.
pub const SERVER: &str = "TRUETILL_TEST_STORE";

/// An empty state: a schema of its own on the tests' server, else in memory.
pub async fn state() -> StateStore {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let name = format!("t{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    match std::env::var(SERVER) {
        Ok(server) => schema(&server, &name).await,
        Err(_) => StateStore::in_memory().await.expect("SQLite in memory"),
    }
}

/// The state that belongs to a folder: the same one each time.
pub async fn state_in(folder: &Path) -> StateStore {
    match std::env::var(SERVER) {
        Ok(server) => {
            let plain = |c: &char| c.is_ascii_alphanumeric();
            let name: String = folder.to_string_lossy().chars().filter(plain).collect::<String>().to_lowercase();
            schema(&server, &format!("f{}", &name[name.len().saturating_sub(50)..])).await
        }
        Err(_) => StateStore::open(folder).await.expect("a SQLite file"),
    }
}

/// A schema is a state of its own as a database is, and costs a hundredth of its files.
async fn schema(server: &str, name: &str) -> StateStore {
    sqlx::any::install_default_drivers();
    let (address, parameters) = server.split_once('?').unwrap_or((server, ""));
    let url = format!("{}/postgres?{parameters}", address.trim_end_matches('/'));
    let mut connection = sqlx::AnyConnection::connect(&url).await.expect("the tests' server");
    let create = AssertSqlSafe(format!("CREATE SCHEMA IF NOT EXISTS {name}"));
    // Of two that make it at once one is told that it is there; what counts is that it is.
    let made = connection.execute(create).await;
    let url = format!("{url}&options=-c%20search_path%3D{name}");
    let store = StateStore::connect(&url, 8).await;
    store.unwrap_or_else(|error| panic!("{url}: {error:#}, {made:?}"))
}

/// Runs the tests of this binary whose names contain one of `names` once more, with their state in PostgreSQL.
/// Does nothing inside such a run, and says so where there is no PostgreSQL.
pub fn once_more(names: &[&str]) {
    if std::env::var_os(SERVER).is_some() {
        return;
    }
    let Some(server) = Server::start() else {
        eprintln!(
            "skipped: no PostgreSQL on this machine (set TRUETILL_POSTGRES_BIN to the folder of initdb and pg_ctl)"
        );
        return;
    };
    let run = Command::new(std::env::current_exe().unwrap()).args(names).env(SERVER, server.url()).output().unwrap();
    let told = String::from_utf8_lossy(&run.stdout);
    let errors = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success(), "with PostgreSQL: {told}\n{errors}\n{}", server.log());
    let summary = told.lines().rfind(|line| line.starts_with("test result")).unwrap_or_default();
    assert!(!summary.contains(" 0 passed"), "no test was run: {told}");
    eprintln!("with PostgreSQL: {summary}");
}

/// A running server.
pub struct Server {
    folder: PathBuf,
    watchdog: Child,
}

impl Server {
    /// Starts one, or nothing where the machine has no PostgreSQL.
    pub fn start() -> Option<Server> {
        let programs = programs()?;
        // Short: a socket's path may have no more than a hundred letters.
        let folder = tempfile::Builder::new().prefix("tt-pg-").tempdir_in("/tmp").unwrap().keep();
        let user = unprivileged(&folder);
        if let Some((user, group)) = user {
            chown(&folder, Some(user), Some(group)).unwrap();
        }
        let server = Server { watchdog: watchdog(&programs, &folder, user), folder };
        let initdb = |more: &[&str]| {
            let data = server.folder.join("data");
            let _ = std::fs::remove_dir_all(&data);
            let plain = ["-U", "postgres", "--auth=trust", "--encoding=UTF8", "--no-sync", "-D"];
            let mut command = as_user(&programs.join("initdb"), user);
            command.args(plain).arg(data).args(more).current_dir("/tmp").output().unwrap()
        };
        // A language whose order of letters is not that of their codes, where the server knows one.
        if !initdb(&["--locale-provider=icu", "--icu-locale=sk", "--locale=C.UTF-8"]).status.success() {
            let made = initdb(&["--locale=C"]);
            assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
        }
        let options = format!(
            "-k {} -c listen_addresses= -c fsync=off -c max_connections=300 -c shared_buffers=32MB",
            server.folder.display()
        );
        let mut start = as_user(&programs.join("pg_ctl"), user);
        start.arg("-D").arg(server.folder.join("data")).arg("-l").arg(server.folder.join("log"));
        let started = start.args(["-w", "-t", "120", "-o", &options, "start"]).current_dir("/tmp");
        assert!(started.stdout(Stdio::null()).status().unwrap().success(), "pg_ctl: {}", server.log());
        Some(server)
    }

    /// Its address, without a database's name.
    pub fn url(&self) -> String {
        format!("postgres://postgres@localhost?host={}", self.folder.display())
    }

    fn log(&self) -> String {
        let log = std::fs::read_to_string(self.folder.join("log")).unwrap_or_default();
        log.lines().rev().take(20).collect::<Vec<_>>().join("\n")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.watchdog.stdin.take());
        let _ = self.watchdog.wait();
    }
}

/// Waits for the end of this process, or for `drop`, and cleans up: a killed test leaves no server behind.
fn watchdog(programs: &Path, folder: &Path, user: Option<(u32, u32)>) -> Child {
    let script = "trap '' INT TERM HUP; read -r _; \"$1/pg_ctl\" -D \"$2/data\" -m immediate -w stop; rm -rf \"$2\"";
    let mut shell = as_user(Path::new("/bin/sh"), user);
    shell.args(["-c", script, "watchdog"]).arg(programs).arg(folder).current_dir("/tmp");
    // A group of its own: what ends the tests and all they started leaves it to clean up.
    shell.process_group(0);
    shell.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// The folder of the server's programs: as told, on the path, or where Debian keeps them.
fn programs() -> Option<PathBuf> {
    let told = std::env::var_os("TRUETILL_POSTGRES_BIN").map(PathBuf::from);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut debian: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .map(|versions| versions.filter_map(|version| Some(version.ok()?.path().join("bin"))).collect())
        .unwrap_or_default();
    debian.sort();
    let folders = told.into_iter().chain(debian.into_iter().rev()).chain(std::env::split_paths(&path));
    folders.into_iter().find(|folder| ["initdb", "pg_ctl", "postgres"].iter().all(|name| folder.join(name).exists()))
}

/// PostgreSQL refuses to run as root: then the user of the system's own server, else nobody.
fn unprivileged(folder: &Path) -> Option<(u32, u32)> {
    if std::fs::metadata(folder).unwrap().uid() != 0 {
        return None;
    }
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let numbers = |name: &str| {
        let fields: Vec<&str> =
            users.lines().map(|line| line.split(':').collect()).find(|f: &Vec<&str>| f[0] == name)?;
        Some((fields.get(2)?.parse().ok()?, fields.get(3)?.parse().ok()?))
    };
    Some(numbers("postgres").or_else(|| numbers("nobody")).unwrap_or((65534, 65534)))
}

fn as_user(program: &Path, user: Option<(u32, u32)>) -> Command {
    let mut command = Command::new(program);
    if let Some((user, group)) = user {
        command.uid(user).gid(group);
    }
    command
}
