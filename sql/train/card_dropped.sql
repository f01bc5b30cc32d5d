SELECT reason, count(*) AS sessions FROM sft_dropped GROUP BY reason ORDER BY sessions DESC, reason;
