//! The tables of the state, one list of migrations for both databases. They are written in what both understand: TEXT,
//! BIGINT, DOUBLE PRECISION and BLOB, `ON CONFLICT`, partial indexes, no defaults but constants.
//! A database of a newer program is refused; a SQLite file is copied aside before its tables change.

use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail};
use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::{AnyPool, AssertSqlSafe, SqlSafeStr};

use super::database::Kind;

/// Number, name and text of each migration. None is ever changed once it was released: add another one.
const MIGRATIONS: &[(i64, &str, &str)] = &[
    (1, "state", include_str!("migrations/0001_state.sql")),
    (2, "desk", include_str!("migrations/0002_desk.sql")),
    (3, "proofs", include_str!("migrations/0003_proofs.sql")),
    (4, "fresh", include_str!("migrations/0004_fresh.sql")),
    (5, "handover", include_str!("migrations/0005_handover.sql")),
    (6, "scores", include_str!("migrations/0006_scores.sql")),
    (7, "carts", include_str!("migrations/0007_carts.sql")),
    (8, "times", include_str!("migrations/0008_times.sql")),
    (10, "messages", include_str!("migrations/0010_messages.sql")),
    (20, "identity", include_str!("migrations/0020_identity.sql")),
    (30, "parcels", include_str!("migrations/0030_parcels.sql")),
    (40, "order", include_str!("migrations/0040_order.sql")),
    (50, "together", include_str!("migrations/0050_together.sql")),
    (60, "photos", include_str!("migrations/0060_photos.sql")),
    (70, "popular", include_str!("migrations/0070_popular.sql")),
];

/// Brings the tables up to date. Of several programs that start at once on one server the first does it (the migrator
/// takes the server's advisory lock), the others wait.
pub(super) async fn migrate(pool: &AnyPool, kind: Kind) -> anyhow::Result<()> {
    let ours = newest();
    match migrator(kind).run(pool).await {
        Err(MigrateError::VersionMissing(theirs)) if theirs > ours => bail!(
            "the database was written by a newer version of this program (tables {theirs}, here {ours}): start that one, \
             or restore the backup of before"
        ),
        other => other.context("bringing the tables up to date"),
    }
}

/// The same for a file, which is copied aside first.
pub(super) async fn migrate_file(pool: &AnyPool, folder: &Path) -> anyhow::Result<()> {
    if let Some(version) = applied(pool).await?.filter(|version| *version < newest()) {
        back_up(pool, folder, version).await?;
    }
    migrate(pool, Kind::Sqlite).await
}

fn newest() -> i64 {
    MIGRATIONS.iter().map(|(version, ..)| *version).max().unwrap_or_default()
}

/// The newest migration of a file, or none where it is new.
async fn applied(pool: &AnyPool) -> anyhow::Result<Option<i64>> {
    let tables = "SELECT COUNT(*) FROM sqlite_master WHERE name = '_sqlx_migrations'";
    let known: i64 = sqlx::query_scalar(tables).fetch_one(pool).await?;
    if known == 0 {
        return Ok(None);
    }
    Ok(sqlx::query_scalar("SELECT MAX(version) FROM _sqlx_migrations").fetch_one(pool).await?)
}

/// A whole copy of the file beside it, in place of the one an attempt of before has left.
async fn back_up(pool: &AnyPool, folder: &Path, version: i64) -> anyhow::Result<()> {
    let copy: PathBuf = folder.join(format!("truetill.db.tables-{version}"));
    let growing = copy.with_extension("copying");
    let _ = std::fs::remove_file(&growing);
    let path = growing.to_str().ok_or_else(|| anyhow!("{} is not UTF-8", growing.display()))?;
    sqlx::query("VACUUM INTO $1")
        .bind(path)
        .execute(pool)
        .await
        .context("copying truetill.db before its tables change")?;
    File::open(&growing)?.sync_all()?;
    std::fs::rename(&growing, &copy).with_context(|| format!("naming {}", copy.display()))?;
    tracing::info!("truetill.db was copied to {} before its tables change", copy.display());
    Ok(())
}

fn migrator(kind: Kind) -> Migrator {
    let migrations = MIGRATIONS.iter().map(|(version, name, sql)| {
        let text = sql.into_sql_str();
        let mut migration = Migration::new(*version, (*name).into(), MigrationType::Simple, text, false);
        if kind == Kind::Postgres {
            migration.sql = AssertSqlSafe(for_postgres(sql)).into_sql_str();
        }
        migration
    });
    Migrator::with_migrations(migrations.collect())
}

/// PostgreSQL's words. Texts are compared byte by byte as SQLite does, whatever the server's language is: moments, ids and
/// digests are in their right order only then.
fn for_postgres(sql: &str) -> String {
    let word = |word: &str| match word {
        "TEXT" => "TEXT COLLATE \"C\"".to_string(),
        "BLOB" => "BYTEA".to_string(),
        other => other.to_string(),
    };
    let mut out = String::with_capacity(sql.len() * 5 / 4);
    for piece in sql.split_inclusive(|c: char| !c.is_alphanumeric() && c != '_') {
        let end = piece.trim_end_matches(|c: char| !c.is_alphanumeric() && c != '_').len();
        out.push_str(&word(&piece[..end]));
        out.push_str(&piece[end..]);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::StateStore;
    use crate::store::database::{Database, file_url, lite};

    #[test]
    fn every_file_of_the_folder_is_in_the_list() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/store/migrations");
        let mut files: Vec<String> =
            std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
        files.sort();
        let listed: Vec<String> =
            MIGRATIONS.iter().map(|(version, name, _)| format!("{version:04}_{name}.sql")).collect();
        assert_eq!(files, listed, "each migration needs its line in MIGRATIONS");
    }

    #[test]
    fn words_are_translated_whole() {
        let check = |sql: &str, expected: &str| assert_eq!(for_postgres(sql), expected);
        check("a TEXT NOT NULL", "a TEXT COLLATE \"C\" NOT NULL");
        check("text TEXT, b BLOB);", "text TEXT COLLATE \"C\", b BYTEA);");
        check("CONTEXT text_TEXT", "CONTEXT text_TEXT");
    }

    /// A file as a program of before left it.
    async fn file_of(folder: &Path, version: i64) {
        std::fs::create_dir_all(folder).unwrap();
        let pool = lite(1).connect(&file_url(&folder.join("truetill.db")).unwrap()).await.unwrap();
        migrator(Kind::Sqlite).run_to(version, &pool).await.unwrap();
        pool.close().await;
    }

    #[tokio::test]
    async fn an_old_file_is_copied_aside_and_brought_up_to_date() {
        let folder = tempfile::tempdir().unwrap();
        // Characters an address could take for its own.
        let place = folder.path().join("a b%20?#é");
        file_of(&place, 5).await;
        let store = StateStore::open(&place).await.unwrap();
        assert_eq!(store.scores_between(jiff::Timestamp::MIN, jiff::Timestamp::MAX).await.unwrap(), []);
        let copy = place.join("truetill.db.tables-5");
        assert!(copy.exists() && !place.join("truetill.db.copying").exists());
        std::fs::rename(&copy, folder.path().join("truetill.db")).unwrap();
        drop(StateStore::open(folder.path()).await.unwrap());
        assert!(folder.path().join("truetill.db.tables-5").exists(), "the copy is a whole old file");
    }

    #[tokio::test]
    async fn a_file_of_a_newer_program_is_refused_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let db = Database::file(folder.path()).await.unwrap();
        let newer = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
            VALUES (9999, 'later', true, x'00', 0)";
        sqlx::query(newer).execute(&db.writer).await.unwrap();
        let refused = format!("{:#}", StateStore::open(folder.path()).await.err().expect("must be refused"));
        assert!(refused.contains("newer version of this program (tables 9999"), "{refused}");
    }
}
