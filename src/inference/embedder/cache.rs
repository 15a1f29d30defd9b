//! What was made of questions asked before: shoppers ask the same things in the same words.
//! In: texts and what belongs to them. Out: what belongs to a text seen lately. Bounded; it never asks the model.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The latest texts. Two halves: what is used moves to the young one, and a full young one becomes the old one.
pub struct Cache<T> {
    half: usize,
    halves: Mutex<Halves<T>>,
}

struct Halves<T> {
    young: HashMap<String, T>,
    old: HashMap<String, T>,
}

impl<T: Clone> Cache<T> {
    /// A cache of at most `texts`.
    pub fn new(texts: usize) -> Self {
        let halves = Mutex::new(Halves { young: HashMap::new(), old: HashMap::new() });
        Cache { half: texts / 2, halves }
    }

    /// What belongs to a text.
    pub fn get(&self, text: &str) -> Option<T> {
        let mut halves = self.halves();
        if let Some(vector) = halves.young.get(text) {
            return Some(vector.clone());
        }
        let (text, vector) = halves.old.remove_entry(text)?;
        self.keep(&mut halves, text, vector.clone());
        Some(vector)
    }

    /// Remembers it.
    pub fn put(&self, text: String, vector: T) {
        self.keep(&mut self.halves(), text, vector);
    }

    fn keep(&self, halves: &mut Halves<T>, text: String, vector: T) {
        if self.half == 0 {
            return;
        }
        halves.young.insert(text, vector);
        if halves.young.len() >= self.half {
            halves.old = std::mem::take(&mut halves.young);
        }
    }

    fn halves(&self) -> MutexGuard<'_, Halves<T>> {
        self.halves.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_keeps_what_is_used_and_stays_small() {
        let cache = Cache::new(8);
        cache.put("often".to_string(), vec![1.0]);
        for n in 0..100 {
            cache.put(n.to_string(), vec![0.0]);
            assert_eq!(cache.get("often"), Some(vec![1.0]), "after {n}");
            let halves = cache.halves();
            assert!(halves.young.len() + halves.old.len() <= 8);
        }
        assert_eq!(cache.get("3"), None);
        assert_eq!(cache.get("99"), Some(vec![0.0]));
    }

    #[test]
    fn without_room_nothing_is_kept() {
        let cache = Cache::new(0);
        cache.put("a".to_string(), vec![1.0]);
        assert_eq!(cache.get("a"), None);
    }
}
