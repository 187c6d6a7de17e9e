use super::*;

const HOUR: Duration = Duration::from_secs(3600);

#[test]
fn the_default_is_thirty_days_and_the_overlap_of_the_longest_token() {
    let policy = RotationPolicy::default();
    assert_eq!(policy.interval(), Duration::from_secs(30 * 24 * 3600));
    assert_eq!(policy.overlap(), Duration::from_secs(24 * 3600 + 300));
    assert_eq!(policy.announcement(), HOUR);
    assert_eq!(policy.max_age(), HOUR / 2);
    assert_eq!(RotationPolicy::new(24 * HOUR, Duration::from_secs(300)), Ok(policy));
    assert_eq!(policy.checked(), Ok(policy));
}

#[test]
fn an_overlap_that_is_shorter_than_a_token_lives_is_refused() {
    let skew = Duration::from_secs(300);
    let policy = RotationPolicy::new(HOUR, skew).unwrap();
    assert_eq!(policy.overlap(), HOUR + skew);
    for short in [Duration::ZERO, HOUR, HOUR + skew - Duration::from_nanos(1)] {
        assert_eq!(policy.with_overlap(short), Err(PolicyError::Overlap), "{short:?}");
    }
    assert_eq!(policy.with_overlap(HOUR + skew), Ok(policy));
    assert!(policy.with_overlap(100 * HOUR).is_ok());
    assert_eq!(policy.with_overlap(LONGEST + HOUR), Err(PolicyError::Overlap));
    assert_eq!(RotationPolicy::new(Duration::MAX, skew), Err(PolicyError::Overlap));
}

#[test]
fn a_key_is_announced_before_it_signs_and_signs_for_longer() {
    let policy = RotationPolicy::new(HOUR, Duration::ZERO).unwrap();
    assert_eq!(policy.with_interval(HOUR), Err(PolicyError::Announcement));
    assert_eq!(policy.with_interval(Duration::MAX), Err(PolicyError::Interval));
    assert_eq!(policy.with_announcement(Duration::ZERO), Err(PolicyError::Announcement));
    assert_eq!(policy.with_announcement(Duration::MAX), Err(PolicyError::Announcement));
    let quick = policy.with_announcement(Duration::from_secs(2)).unwrap();
    assert_eq!(quick.max_age(), Duration::from_secs(1));
    assert!(quick.with_interval(HOUR).is_ok());
}
