use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};

use quorate_core::NodeId;
use quorate_tokio::WalOptions;
use quorate_tokio::wal::{Batch, Identity, SystemDisk, Wal};

pub struct Engine {
    pub name: &'static str,
    /// Opens a store, and tells how many records it finds.
    pub open: fn(&Path) -> Result<(Box<dyn Store>, u64), String>,
}

pub trait Store {
    /// Makes records durable, all with one commit.
    fn commit(&mut self, records: &[Vec<u8>]);
}

pub const ENGINES: [Engine; 5] = [
    Engine { name: "wal", open: wal },
    Engine { name: "redb", open: redb },
    Engine { name: "fjall", open: fjall },
    Engine { name: "okaywal", open: okaywal },
    Engine { name: "raft-engine", open: raft_engine },
];

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

fn wal(dir: &Path) -> Result<(Box<dyn Store>, u64), String> {
    struct Store_(Wal<SystemDisk>, Batch);
    impl Store for Store_ {
        fn commit(&mut self, records: &[Vec<u8>]) {
            self.1.clear();
            for record in records {
                self.1.push_bytes(record);
            }
            self.0.append(&mut self.1).expect("an append");
        }
    }
    let identity = Identity { cluster: 1, node: NodeId::new(1) };
    let mut found = 0;
    let wal = Wal::open(Arc::new(SystemDisk), dir, identity, WalOptions::default(), |_, _| {
        found += 1;
        Ok(())
    });
    Ok((Box::new(Store_(wal.map_err(text)?, Batch::default())), found))
}

fn redb(dir: &Path) -> Result<(Box<dyn Store>, u64), String> {
    use redb::{ReadableDatabase as _, ReadableTableMetadata as _};
    const TABLE: redb::TableDefinition<'_, u64, &[u8]> = redb::TableDefinition::new("log");
    struct Store_(redb::Database, u64);
    impl Store for Store_ {
        fn commit(&mut self, records: &[Vec<u8>]) {
            let transaction = self.0.begin_write().expect("a transaction");
            {
                let mut table = transaction.open_table(TABLE).expect("a table");
                for record in records {
                    table.insert(self.1, record.as_slice()).expect("an insert");
                    self.1 += 1;
                }
            }
            transaction.commit().expect("a commit");
        }
    }
    std::fs::create_dir_all(dir).map_err(text)?;
    let db = redb::Database::create(dir.join("redb")).map_err(text)?;
    let found = match db.begin_read().map_err(text)?.open_table(TABLE) {
        Ok(table) => table.len().map_err(text)?,
        Err(_) => 0,
    };
    Ok((Box::new(Store_(db, found)), found))
}

fn fjall(dir: &Path) -> Result<(Box<dyn Store>, u64), String> {
    struct Store_(fjall::Database, fjall::Keyspace, u64);
    impl Store for Store_ {
        fn commit(&mut self, records: &[Vec<u8>]) {
            let mut batch = self.0.batch().durability(Some(fjall::PersistMode::SyncData));
            for record in records {
                batch.insert(&self.1, self.2.to_be_bytes(), record.as_slice());
                self.2 += 1;
            }
            batch.commit().expect("a commit");
        }
    }
    let db = fjall::Database::builder(dir).open().map_err(text)?;
    let log = db.keyspace("log", fjall::KeyspaceCreateOptions::default).map_err(text)?;
    let found = log.len().map_err(text)? as u64;
    Ok((Box::new(Store_(db, log, found)), found))
}

fn okaywal(dir: &Path) -> Result<(Box<dyn Store>, u64), String> {
    #[derive(Debug)]
    struct Count(Arc<Mutex<u64>>);
    impl okaywal::LogManager for Count {
        fn recover(&mut self, entry: &mut okaywal::Entry<'_>) -> io::Result<()> {
            if let Some(chunks) = entry.read_all_chunks()? {
                *self.0.lock().expect("a count") += chunks.len() as u64;
            }
            Ok(())
        }
        fn checkpoint_to(
            &mut self,
            _: okaywal::EntryId,
            _: &mut okaywal::SegmentReader,
            _: &okaywal::WriteAheadLog,
        ) -> io::Result<()> {
            Ok(())
        }
    }
    struct Store_(okaywal::WriteAheadLog);
    impl Store for Store_ {
        fn commit(&mut self, records: &[Vec<u8>]) {
            let mut entry = self.0.begin_entry().expect("an entry");
            for record in records {
                entry.write_chunk(record).expect("a chunk");
            }
            entry.commit().expect("a commit");
        }
    }
    let found = Arc::new(Mutex::new(0));
    let log = okaywal::WriteAheadLog::recover(dir, Count(found.clone())).map_err(text)?;
    let found = *found.lock().map_err(text)?;
    Ok((Box::new(Store_(log)), found))
}

fn raft_engine(dir: &Path) -> Result<(Box<dyn Store>, u64), String> {
    struct Store_(raft_engine::Engine, u64);
    impl Store for Store_ {
        fn commit(&mut self, records: &[Vec<u8>]) {
            let mut batch = raft_engine::LogBatch::with_capacity(4);
            for record in records {
                batch.put(1, self.1.to_be_bytes().to_vec(), record.clone()).expect("a put");
                self.1 += 1;
            }
            self.0.write(&mut batch, true).expect("a write");
        }
    }
    let config = raft_engine::Config {
        dir: dir.to_string_lossy().into_owned(),
        // its default: damage at the tail is tolerated, elsewhere refused
        recovery_mode: raft_engine::RecoveryMode::TolerateTailCorruption,
        ..Default::default()
    };
    let engine = raft_engine::Engine::open(config).map_err(text)?;
    let mut found = 0;
    let count = |_: &[u8], _: &[u8]| {
        found += 1;
        true
    };
    engine.scan_raw_messages(1, None, None, false, count).map_err(text)?;
    Ok((Box::new(Store_(engine, found)), found))
}
