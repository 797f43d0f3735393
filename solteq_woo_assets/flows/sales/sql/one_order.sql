FROM snapshot.woo_sales WHERE id = $id
