//! Random numbers that can be thrown again: a failing test names the seed, and `BLOTTER_TEST_SEED` throws it once more.

/// SplitMix64.
#[derive(Debug)]
pub struct Dice(u64);

impl Dice {
    /// From `BLOTTER_TEST_SEED`, else from the clock; prints the seed, which a test shows if it fails.
    pub fn from_environment() -> Self {
        let given = std::env::var("BLOTTER_TEST_SEED").ok().and_then(|seed| seed.parse().ok());
        let seed = given.unwrap_or_else(|| {
            let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
            now.as_nanos() as u64
        });
        println!("BLOTTER_TEST_SEED={seed}");
        Self(seed)
    }

    /// With a known seed.
    pub fn from_seed(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    /// A number below `bound`, which is not 0.
    pub fn below(&mut self, bound: usize) -> usize {
        (self.roll() % bound as u64) as usize
    }

    /// One of them.
    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}
