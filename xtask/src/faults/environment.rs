//! How a program learns of its conditions: variables of its environment, which
//! `xtask/faults/conditions.c` and `allocator.c` read.

use std::collections::BTreeMap;

use super::case::{Case, Condition};

/// The variable of a condition, and its value. Several of one name make a list.
fn variable(condition: &Condition) -> (&'static str, String) {
    match condition {
        Condition::Call(fault) => ("FAULTS_TRACE", fault.call.id().to_string()),
        Condition::Answer(call, error) => (
            "FAULTS_ANSWER",
            format!("{}:{}", call.id(), error.into_raw()),
        ),
        Condition::Allocation(when) => ("FAULTS_ALLOCATION", when.to_string()),
        Condition::Limit(resource, value) => {
            ("FAULTS_LIMIT", format!("{}:{value}", resource.number()))
        }
        Condition::Closed(digits) => ("FAULTS_CLOSED", digits.clone()),
        Condition::Storm(microseconds) => ("FAULTS_STORM", microseconds.to_string()),
        Condition::Disk(bytes) => ("FAULTS_DISK", bytes.to_string()),
        Condition::Inline => ("OXUV_FS_INLINE", "1".into()),
    }
}

pub fn variables(case: &Case) -> BTreeMap<&'static str, String> {
    let mut all: BTreeMap<&'static str, String> = BTreeMap::new();
    for (name, value) in case.conditions.iter().map(variable) {
        match all.get_mut(name) {
            Some(list) => *list += &format!(",{value}"),
            None => drop(all.insert(name, value)),
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_of_a_kind_make_a_list() {
        let case: Case = "udp read#1=EIO write#2=EIO closed:01 limit:nofile=9"
            .parse()
            .unwrap();
        let all: Vec<_> = variables(&case).into_iter().collect();
        let expected = [
            ("FAULTS_CLOSED", "01"),
            ("FAULTS_LIMIT", "7:9"),
            ("FAULTS_TRACE", "0,1"),
        ];
        assert_eq!(all.len(), expected.len());
        for ((name, value), (expected_name, expected_value)) in all.iter().zip(expected) {
            assert_eq!((*name, value.as_str()), (expected_name, expected_value));
        }
    }
}
