//! A list after the process that made it has ended.

use super::*;

/// Written down and read again.
fn restored(saved: &SavedStatusList) -> StatusList {
    let text = serde_json::to_string(saved).unwrap();
    StatusList::restore(serde_json::from_str(&text).unwrap()).unwrap()
}

#[test]
fn a_restart_makes_no_token_valid_again_and_gives_no_index_twice() {
    let (list, random) = (list(64), Counting::default());
    let set = RevocationSet::new();
    let tokens: Vec<_> = (2..8).map(|number| issue(&list, number, &random).unwrap()).collect();
    let indices: Vec<u32> = tokens.iter().map(index).collect();
    set.revoke(RevocationTarget::Token(tokens[1].token_id()), None, now()).unwrap();
    export(&list, &set);
    let saved = list.save();
    // After it was saved, one more is issued: nobody remembers it.
    let late = index(&issue(&list, 9, &random).unwrap());
    drop(list);

    let again = restored(&saved);
    let nothing = RevocationSet::new();
    let first = read(&export(&again, &nothing)).unwrap();
    let invalid: Vec<_> =
        (0..6).filter(|at| first.status(indices[*at]) == Some(Status::Invalid)).collect();
    assert_eq!(invalid, [1]);
    assert_eq!(first.status(late), Some(Status::Invalid));
    let valid = (0..64).filter(|index| first.status(*index) == Some(Status::Valid)).count();
    assert_eq!((valid, first.status(64)), (5, None));
    // Revocations go on to be seen, and it can be saved again.
    set.revoke(RevocationTarget::Capability(id(4)), None, now()).unwrap();
    let second = read(&export(&restored(&again.save()), &set)).unwrap();
    let invalid: Vec<_> =
        (0..6).filter(|at| second.status(indices[*at]) == Some(Status::Invalid)).collect();
    assert_eq!(invalid, [1, 2]);
    let refused = issue(&again, 9, &random);
    assert_eq!(refused, Err(IssueError::Status(StatusListError::Full)));
}

/// What is saved before the export that is published knows nothing of what that says; where the set
/// has forgotten it, too, nobody does.
#[test]
fn a_list_is_saved_after_each_export_and_before_it_is_published() {
    let (list, random) = (list(64), Counting::default());
    let set = RevocationSet::new();
    let token = issue(&list, 2, &random).unwrap();
    set.revoke(RevocationTarget::Token(token.token_id()), None, now()).unwrap();
    let early = list.save();
    let published = read(&export(&list, &set)).unwrap();
    assert_eq!(published.status(index(&token)), Some(Status::Invalid));
    let status = |saved: &SavedStatusList, set: &RevocationSet| {
        read(&export(&restored(saved), set)).unwrap().status(index(&token))
    };
    let forgotten = RevocationSet::new();
    assert_eq!(status(&list.save(), &forgotten), Some(Status::Invalid));
    assert_eq!(status(&early, &forgotten), Some(Status::Valid));
    assert_eq!(status(&early, &set), Some(Status::Invalid));
}

#[test]
fn a_saved_list_that_contradicts_itself_is_refused() {
    let (list, random) = (list(64), Counting::default());
    issue(&list, 2, &random).unwrap();
    issue(&list, 3, &random).unwrap();
    let saved = serde_json::to_value(list.save()).unwrap();
    let restore = |saved: Value| StatusList::restore(serde_json::from_value(saved).unwrap());
    assert!(restore(saved.clone()).is_ok());
    let with = |alter: fn(&mut Value)| {
        let mut saved = saved.clone();
        alter(&mut saved);
        saved
    };
    type Alter = fn(&mut Value);
    let cases: [(Alter, StatusListError); 5] = [
        (|saved| saved["statuses"] = json!(0), StatusListError::Size),
        (|saved| saved["statuses"] = json!(12), StatusListError::Size),
        (|saved| saved["statuses"] = json!(MAX_STATUSES + 8), StatusListError::Size),
        (|saved| saved["tokens"][0]["index"] = json!(64), StatusListError::Saved),
        (
            |saved| {
                let index = saved["tokens"][0]["index"].clone();
                saved["tokens"][1]["index"] = index;
            },
            StatusListError::Saved,
        ),
    ];
    for (alter, refused) in cases {
        assert_eq!(restore(with(alter)).err(), Some(refused), "{}", with(alter));
    }
    let unknown = with(|saved| saved["other"] = json!(1));
    assert!(serde_json::from_value::<SavedStatusList>(unknown).is_err());
    let unknown = with(|saved| saved["tokens"][0]["token"]["other"] = json!(1));
    assert!(serde_json::from_value::<SavedStatusList>(unknown).is_err());
}
