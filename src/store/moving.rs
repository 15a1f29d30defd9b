//! The whole state from a SQLite file into another database that is empty yet, such as a PostgreSQL server's: every table, every row, in
//! one transaction, counted again before it is committed. Whoever writes to the file meanwhile waits, so nothing is torn.

use anyhow::{Context, bail, ensure};
use sqlx::{AssertSqlSafe, Row};

use super::database::{Found, Kind, Write};
use super::state::StateStore;

/// Rows read at once.
const PAGE: i64 = 500;

/// A table that was moved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    /// Its name.
    pub table: String,
    /// Its rows.
    pub rows: i64,
}

/// A column with what it holds, as the migrations write it.
struct Column {
    name: String,
    kind: String,
}

impl StateStore {
    /// Copies all of this store, a SQLite file, into an empty one. This one stays as it is.
    ///
    /// # Errors
    /// This store is no SQLite file, the other one holds something already, either cannot be read or written.
    pub async fn move_into(&self, target: &StateStore) -> anyhow::Result<Vec<Moved>> {
        if self.db.kind != Kind::Sqlite {
            bail!("only a SQLite file can be moved; between two servers use pg_dump");
        }
        // Nobody writes to the file until this ends.
        let mut held = self.write().await?;
        let mut writing = target.write().await?;
        let mut moved = Vec::new();
        for table in tables(&mut held).await? {
            ensure!(
                count(&mut writing, &table).await? == 0,
                "{} holds `{table}` already: name an empty database",
                target.location()
            );
            let rows = copy(&mut held, &mut writing, &table).await.with_context(|| format!("moving `{table}`"))?;
            let (here, there) = (count(&mut held, &table).await?, count(&mut writing, &table).await?);
            ensure!(here == there && there == rows, "`{table}`: {here} rows here, {there} there");
            moved.push(Moved { table, rows });
        }
        target.commit(writing).await?;
        held.rollback().await?;
        Ok(moved)
    }
}

async fn tables(held: &mut Write<'_>) -> anyhow::Result<Vec<String>> {
    let named =
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%' AND name NOT LIKE '%sqlx%'
                 ORDER BY name";
    let rows = sqlx::query(named).fetch_all(&mut **held).await?;
    rows.iter().map(|row| Ok(row.try_get("name")?)).collect()
}

async fn columns(held: &mut Write<'_>, table: &str) -> anyhow::Result<Vec<Column>> {
    let named =
        sqlx::query("SELECT name, type AS kind FROM pragma_table_info($1) ORDER BY cid").bind(table.to_string());
    let rows = named.fetch_all(&mut **held).await?;
    rows.iter().map(|row| Ok(Column { name: row.try_get("name")?, kind: row.try_get("kind")? })).collect()
}

async fn count(transaction: &mut Write<'_>, table: &str) -> anyhow::Result<i64> {
    // The names come from our own migrations.
    let counted = AssertSqlSafe(format!("SELECT COUNT(*) AS rows_there FROM {table}"));
    Ok(sqlx::query(counted).fetch_one(&mut **transaction).await?.try_get("rows_there")?)
}

async fn copy(held: &mut Write<'_>, writing: &mut Write<'_>, table: &str) -> anyhow::Result<i64> {
    let columns = columns(held, table).await?;
    let names = columns.iter().map(|column| column.name.as_str()).collect::<Vec<_>>().join(", ");
    let places = (1..=columns.len()).map(|place| format!("${place}")).collect::<Vec<_>>().join(", ");
    let insert = format!("INSERT INTO {table} ({names}) VALUES ({places})");
    let select = format!("SELECT rowid AS row_place, {names} FROM {table} WHERE rowid > $1 ORDER BY rowid LIMIT $2");
    let (mut after, mut copied) = (i64::MIN, 0);
    loop {
        let page = sqlx::query(AssertSqlSafe(select.clone())).bind(after).bind(PAGE).fetch_all(&mut **held).await?;
        let Some(last) = page.last() else { return Ok(copied) };
        after = last.try_get("row_place")?;
        for row in &page {
            put(writing, &insert, (row, &columns)).await?;
            copied += 1;
        }
    }
}

async fn put(writing: &mut Write<'_>, insert: &str, (row, columns): (&Found, &[Column])) -> anyhow::Result<()> {
    let mut query = sqlx::query(AssertSqlSafe(insert.to_string()));
    for Column { name, kind } in columns {
        let name = name.as_str();
        query = match kind.as_str() {
            "TEXT" => query.bind(row.try_get::<Option<String>, _>(name)?),
            "BIGINT" => query.bind(row.try_get::<Option<i64>, _>(name)?),
            "DOUBLE PRECISION" => query.bind(row.try_get::<Option<f64>, _>(name)?),
            "BLOB" => query.bind(row.try_get::<Option<Vec<u8>>, _>(name)?),
            other => bail!("`{name}` is {other}, which nothing here moves"),
        };
    }
    query.execute(&mut **writing).await?;
    Ok(())
}
