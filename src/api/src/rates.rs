//! How many requests one token, session or address may make: a bucket for each that fills steadily.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Instant;

/// Buckets that are kept; when there are more, those that are full again go.
const BUCKETS_MAX: usize = 10_000;

pub(crate) struct Rates {
    per_second: f64,
    buckets: Mutex<HashMap<String, (f64, Instant)>>,
}

impl Rates {
    pub(crate) fn new(per_second: f64) -> Self {
        Self { per_second, buckets: Mutex::default() }
    }

    /// Takes `count` from the bucket of `who`, or says in how many milliseconds there will be enough.
    pub(crate) fn take(&self, who: &str, count: f64, now: Instant) -> Result<(), u64> {
        let most = self.per_second * 2.0;
        let mut buckets = self.buckets.lock().expect("no thread panics while it holds this");
        if buckets.len() >= BUCKETS_MAX && !buckets.contains_key(who) {
            let refills = |(left, since): &(f64, Instant)| {
                left + now.saturating_duration_since(*since).as_secs_f64() * self.per_second
            };
            buckets.retain(|_, bucket| refills(bucket) < most);
            if buckets.len() >= BUCKETS_MAX {
                return Err(1_000);
            }
        }
        let (left, since) = buckets.entry(who.to_owned()).or_insert((most, now));
        *left = (*left + now.saturating_duration_since(*since).as_secs_f64() * self.per_second).min(most);
        *since = now;
        // A list may be larger than the bucket: then it waits until that is full, and overdraws it.
        if *left >= count.min(most) {
            *left -= count;
            return Ok(());
        }
        Err(((count.min(most) - *left) / self.per_second * 1000.0).ceil() as u64)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_bucket_empties_and_fills_again() {
        let (rates, start) = (Rates::new(10.0), Instant::now());
        for _ in 0..20 {
            assert_eq!(rates.take("a", 1.0, start), Ok(()));
        }
        assert_eq!(rates.take("a", 1.0, start), Err(100));
        assert_eq!(rates.take("b", 1.0, start), Ok(()));
        assert_eq!(rates.take("a", 1.0, start + Duration::from_millis(100)), Ok(()));
        assert!(rates.take("a", 500.0, start + Duration::from_millis(200)).is_err());
        assert_eq!(rates.take("a", 500.0, start + Duration::from_secs(10)), Ok(()));
        assert!(rates.take("a", 1.0, start + Duration::from_secs(11)).is_err());
    }
}
